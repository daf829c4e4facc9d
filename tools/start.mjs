// `npm start`: from a bare clone to a running pair with clients, as a plain user. Arguments go to the demonstration.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { build, root, setup } from './setup.mjs';

setup();
build();
const demo = spawn(
  process.execPath,
  ['--enable-source-maps', join(root, 'dist', 'demo', 'main.js'), ...process.argv.slice(2)],
  { cwd: root, stdio: 'inherit' },
);
// The demonstration ends its servers itself; it hears the terminal's own signals.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => demo.kill(signal));
demo.on('close', (status) => process.exit(status ?? 1));
