/**
 * `twinlease sim`: one run of the simulator, told in words. A run is made by its seed and size, by a named situation, or by a kept
 * story; a failing one can be shrunk to a short story and kept. A part of `main.ts`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { EXIT } from './front/cli/exit-codes.ts';
import type { SimCommandOptions } from './front/cli/program.ts';
import { crowdedWorld, randomWorld } from './sim/random-world.ts';
import { SCENARIOS, scenarioWorld } from './sim/scenarios.ts';
import { type KeptStory, shrink, worldOf } from './sim/shrink.ts';
import { type SimOptions, type SimReport, simulate } from './sim/simulate.ts';

/** Runs made to shrink one story. */
const SHRINK_RUNS_MAX = 400;

export async function simCommand(options: SimCommandOptions): Promise<void> {
  const world = chosen(options);
  if (world === undefined) return;
  let report = simulate(world);
  if (options.shrink !== undefined) {
    const shrunk = shrink(report, SHRINK_RUNS_MAX);
    if (shrunk?.kind === 'not-repeated')
      process.stderr.write('twinlease: as a script the run does not fail; it is told whole\n');
    if (shrunk?.kind === 'shrunk') {
      report = shrunk.report;
      if (typeof options.shrink === 'string')
        writeFileSync(options.shrink, `${JSON.stringify(shrunk.story, undefined, 1)}\n`);
    }
  }
  process.stdout.write(`${(options.json ? [JSON.stringify(asData(report))] : inWords(report, options)).join('\n')}\n`);
  process.exitCode = report.violations.length > 0 ? EXIT.refused : EXIT.ok;
}

function chosen(options: SimCommandOptions): SimOptions | undefined {
  if (options.file !== undefined) return worldOf(JSON.parse(readFileSync(options.file, 'utf8')) as KeptStory);
  if (options.scenario === undefined)
    return (options.crowded ? crowdedWorld : randomWorld)(options.seed, {
      minutes: options.minutes,
      clientsMax: options.clients,
      drainSecMax: options.drain,
    });
  const scenario = SCENARIOS.find(({ name }) => name === options.scenario);
  if (scenario !== undefined) return scenarioWorld(scenario, options.mode, options.side, options.seed);
  process.stderr.write(
    `twinlease: no such situation. There are:\n${SCENARIOS.map(({ name }) => `  ${name}`).join('\n')}\n`,
  );
  process.exitCode = EXIT.usage;
  return undefined;
}

function inWords(report: SimReport, options: SimCommandOptions): string[] {
  const lines = options.story || report.violations.length > 0 ? report.story(report.violations[0]?.address) : [];
  const { counts } = report;
  const hours = (report.virtualSec / 3600).toFixed(1);
  const end =
    report.violations.length === 0
      ? 'No rule was broken, both servers came to NORMAL by themselves, and their tables say what the clients believe.'
      : report.violations.map(({ rule, what }) => `${rule} was broken: ${what}`).join('\n');
  return [
    ...lines,
    '',
    `${hours} hours, ${counts.clientPackets} packets of clients, ${counts.acks} leases and renewals, ${report.faults} faults.`,
    end,
  ];
}

function asData(report: SimReport): unknown {
  const { name, options, violations, exceptions, counts, faults, virtualSec } = report;
  return {
    name,
    seed: options.seed,
    violations,
    exceptions,
    counts,
    faults,
    virtualSec,
    cells: Object.fromEntries(report.cells),
  };
}
