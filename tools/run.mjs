// `node tools/run.mjs dist/test/... args`: sets up, builds, then runs a compiled program with the given arguments.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { build, root, setup } from './setup.mjs';

const [program = '', ...args] = process.argv.slice(2);
setup();
build();
const done = spawnSync(process.execPath, ['--enable-source-maps', join(root, program), ...args], {
  cwd: root,
  stdio: 'inherit',
});
process.exit(done.status ?? 1);
