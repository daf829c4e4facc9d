/** Runs many power cuts by hand: `node dist/test/bench/power-cuts.js [--cuts 10000] [--seed 1] [--json]`. Exit code 1 when anything was lost. */
import { parseArgs } from 'node:util';
import { powerCuts } from '../store/power-cuts.ts';

const LOSSES_SHOWN = 10;

const { values } = parseArgs({
  options: {
    cuts: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
});
const cuts = Number(values.cuts);
const seed = Number(values.seed);
if (!Number.isSafeInteger(cuts) || cuts < 1 || !Number.isSafeInteger(seed)) {
  console.error('power-cuts: --cuts takes a number above 0 and --seed a whole number');
  process.exit(2);
}
const isLive = process.stderr.isTTY && !values.json;
const report = await powerCuts({ cuts, seed }, (done) => {
  if (isLive) process.stderr.write(`\r${done} of ${cuts} power cuts`);
});
if (isLive) process.stderr.write('\n');
if (values.json) {
  console.log(JSON.stringify(report));
} else {
  console.log(`power cuts             ${report.cuts} (seed ${seed})`);
  console.log(`acknowledged commits   ${report.acknowledged}`);
  console.log(`torn ends repaired     ${report.tornTails}`);
  console.log(`starts from a snapshot ${report.snapshotsUsed}`);
  console.log(`cuts while opening     ${report.cutsWhileOpening}`);
  console.log(`losses                 ${report.losses.length}`);
  for (const loss of report.losses.slice(0, LOSSES_SHOWN)) console.log(`  ${loss}`);
}
process.exitCode = report.losses.length === 0 ? 0 : 1;
