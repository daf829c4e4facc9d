#!/usr/bin/env node
/** The command `twinlease`. The server itself is loaded only for `serve` and `restore`, so that client commands start at once. */
import process from 'node:process';
import { buildProgram } from './front/cli/program.ts';

buildProgram({
  serve: async (options) => await (await import('./serve.ts')).serve(options),
  restore: async (options) => await (await import('./restore.ts')).restore(options),
})
  .parseAsync(process.argv)
  .catch((error: unknown) => {
    process.stderr.write(`twinlease: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  });
