// `npm run bench -- NAME args`: sets up, builds, and runs test/bench/NAME.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { build, root, setup } from './setup.mjs';

setup();
build();
const folder = join(root, 'dist', 'test', 'bench');
const [name = '', ...args] = process.argv.slice(2);
const program = join(folder, `${name}.js`);
if (name === '' || !existsSync(program)) {
  const names = readdirSync(folder)
    .filter((file) => file.endsWith('.js'))
    .map((file) => file.slice(0, -3));
  console.error(`Which one? npm run bench -- ${names.join(' | ')}`);
  process.exit(2);
}
process.exit(
  spawnSync(process.execPath, ['--enable-source-maps', '--expose-gc', program, ...args], {
    cwd: root,
    stdio: 'inherit',
  }).status ?? 1,
);
