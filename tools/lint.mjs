// Formatter and linter. Biome's platform binary exists for x64 Linux here; elsewhere this says so and passes.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root, setup } from './setup.mjs';

export function lint(args = ['check', '--error-on-warnings']) {
  const biome = join(root, 'node_modules', '@biomejs', 'cli-linux-x64', 'biome');
  if (!existsSync(biome)) {
    console.error('lint: skipped, no biome binary for this platform');
    return process.env['CI'] === 'true' ? 1 : 0;
  }
  return spawnSync(biome, args, { cwd: root, stdio: 'inherit' }).status ?? 1;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  setup();
  process.exit(lint(process.argv.length > 2 ? process.argv.slice(2) : undefined));
}
