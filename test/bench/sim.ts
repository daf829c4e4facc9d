/**
 * A long run of the simulator: `npm run bench -- sim --seeds N --from S [--minutes M] [--clients C] [--drain SEC]
 * [--trace LINES]`.
 * Prints each failing seed with the end of its trace, and a summary; the exit status says whether any failed.
 */
import { parseArgs } from 'node:util';
import { randomWorld } from '../../src/sim/random-world.ts';
import { describeFailure, type SimReport, simulate } from '../../src/sim/simulate.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '1' },
    minutes: { type: 'string', default: '60' },
    clients: { type: 'string', default: '60' },
    drain: { type: 'string', default: '14400' },
    trace: { type: 'string', default: '40' },
  },
});

const from = Number(values.from);
const began = process.hrtime.bigint();
let virtualSec = 0;
const failed = new Map<string, number[]>();
let excused = 0;
for (let seed = from; seed < from + Number(values.seeds); seed++) {
  let report: SimReport;
  try {
    report = simulate(
      randomWorld(seed, {
        minutes: Number(values.minutes),
        clientsMax: Number(values.clients),
        drainSecMax: Number(values.drain),
      }),
    );
  } catch (error) {
    note('thrown', seed);
    console.log(`seed ${seed}: ${error instanceof Error ? error.stack : String(error)}`);
    continue;
  }
  virtualSec += report.virtualSec;
  if (report.excuses.length > 0) excused++;
  const first = report.violations[0];
  if (first === undefined) continue;
  note(first.rule, seed);
  if (Number(values.trace) > 0) console.log(describeFailure(report, Number(values.trace)));
  else console.log(`seed ${seed}: ${first.rule} at ${(first.atMs / 1000).toFixed(1)}: ${first.what}`);
}
const sec = Number(process.hrtime.bigint() - began) / 1e9;
console.log(
  `${values.seeds} seeds from ${from}: ${(virtualSec / 3600).toFixed(1)} virtual hours in ${sec.toFixed(1)} s; P1 did not hold in ${excused}`,
);
for (const [rule, seeds] of failed) console.log(`${rule}: ${seeds.length} failed: ${seeds.join(' ')}`);
process.exitCode = failed.size === 0 ? 0 : 1;

function note(rule: string, seed: number): void {
  failed.set(rule, [...(failed.get(rule) ?? []), seed]);
}
