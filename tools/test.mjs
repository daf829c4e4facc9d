// `npm test`: installs, builds, lints, then runs every test on the compiled output. Arguments limit it to folders or files
// below test/, e.g. `npm test -- wire core/failover`. The last line is `N passed, N failed, N skipped`.
import { spawn } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { lint } from './lint.mjs';
import { build, root, setup } from './setup.mjs';

setup();
build();
const lintStatus = lint();
const files = testFiles(join(root, 'dist', 'test')).filter((file) => wanted(file, process.argv.slice(2)));
if (files.length === 0) {
  console.error('No test file matches.');
  process.exit(1);
}
const runner = spawn(
  process.execPath,
  [
    '--enable-source-maps',
    '--test',
    '--test-concurrency=2',
    '--test-reporter=tap',
    '--test-reporter-destination=stdout',
    ...files,
  ],
  { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] },
);
const totals = { pass: 0, fail: 0, skipped: 0, cancelled: 0 };
let rest = '';
const skips = [];
runner.stdout.setEncoding('utf8');
runner.stdout.on('data', (text) => {
  rest += text;
  const lines = rest.split('\n');
  rest = lines.pop() ?? '';
  for (const line of lines) takeLine(line);
});
let failureLines = 0;
function takeLine(line) {
  const total = /^# (pass|fail|skipped|cancelled) (\d+)$/.exec(line);
  if (total !== null) totals[total[1]] = Number(total[2]);
  const skip = /^\s*ok \d+ - (.*) # SKIP ?(.*)$/.exec(line);
  if (skip !== null) skips.push(`${skip[1]}: ${skip[2]}`);
  // A failed test with its diagnosis, and what tests print; passing tests stay silent.
  if (/^\s*not ok /.test(line)) failureLines = 60;
  else if (/^\s*ok /.test(line)) failureLines = 0;
  if (failureLines > 0) {
    failureLines--;
    console.log(line);
  }
}
runner.on('close', (status) => {
  for (const skip of skips) console.log(`skipped: ${skip}`);
  const failed =
    totals.fail +
    totals.cancelled +
    (lintStatus === 0 ? 0 : 1) +
    (status !== 0 && totals.fail + totals.cancelled === 0 ? 1 : 0);
  const skippedInCi = process.env['CI'] === 'true' && totals.skipped > 0;
  if (skippedInCi) console.log('Skips are failures where CI=true.');
  console.log(
    `${totals.pass} passed, ${failed + (skippedInCi ? totals.skipped : 0)} failed, ${totals.skipped} skipped`,
  );
  process.exit(failed > 0 || skippedInCi || totals.pass === 0 ? 1 : 0);
});

function testFiles(directory) {
  return readdirSync(directory)
    .flatMap((name) => {
      const path = join(directory, name);
      if (statSync(path).isDirectory()) return testFiles(path);
      return name.endsWith('.test.js') ? [path] : [];
    })
    .sort();
}

function wanted(file, filters) {
  const below = relative(join(root, 'dist', 'test'), file);
  return filters.length === 0 || filters.some((filter) => below.startsWith(filter));
}
