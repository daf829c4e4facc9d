#!/usr/bin/env node
/** The command `twinlease`. The server itself is loaded only for `serve` and `restore`, the simulator for `sim`, so that client commands start at once. */
import process from 'node:process';
import { buildProgram } from './front/cli/program.ts';

buildProgram({
  serve: async (options) => await (await import('./serve.ts')).serve(options),
  restore: async (options) => await (await import('./restore.ts')).restore(options),
  sim: async (options) => await (await import('./sim-command.ts')).simCommand(options),
})
  .parseAsync(process.argv)
  .catch((error: unknown) => {
    process.stderr.write(`twinlease: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  });
