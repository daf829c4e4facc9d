/**
 * Applying a configuration file (design, part 3): it replaces the sections it names against the revision it was made from, and is
 * refused when another is in force by now, never merged. Relationships and reservations that it lacks go only with an explicit
 * prune, and a relationship goes on both servers.
 */
import { z } from 'zod';
import type { Config } from '../core/config/model.ts';
import { parseConfig } from '../core/config/schema.ts';
import { faultProblem } from '../core/problems/config-faults.ts';
import type { Problem } from '../core/problems/problem.ts';
import type { Control } from '../server/control.ts';
import { defineOperation } from './define.ts';
import { removeFailover } from './failover-remove.ts';
import { changeLocally } from './local-change.ts';
import { failed, type OperationContext, type Outcome, succeeded, type WhatIfReport } from './operation.ts';
import * as params from './params.ts';
import { invalid, problem } from './problems.ts';
import { scopeObstacle } from './scope-guards.ts';
import { stableText } from './shared-config.ts';

const FAULTS_MAX = 20;

const applyParams = z.strictObject({
  ...params.common,
  Config: z
    .record(z.string(), z.unknown())
    .describe('Sections of a configuration as `config show` gives them, with their revision.'),
  Base: z.int().min(1).nullish().describe('Revision that it was made from, where the configuration does not say it.'),
  Prune: params.flag.describe('Relationships and reservations that the file lacks go.'),
  Force: params.flag.describe('Scopes that the file lacks go even when clients hold their addresses.'),
});

export const applyConfig = defineOperation({
  name: 'config.apply',
  summary: 'Puts a configuration file in force.',
  examples: ['twinlease config apply config.json --what-if', 'twinlease config apply config.json'],
  params: applyParams,
  result: z.object({ Revision: z.int() }),
  changes: true,
  run: apply,
});

async function apply(
  context: OperationContext,
  given: z.infer<typeof applyParams>,
): Promise<Outcome<{ Revision: number } | WhatIfReport>> {
  const { control } = context;
  const stated = given.Config['revision'];
  const base = given.Base ?? (typeof stated === 'number' ? stated : undefined);
  if (base === undefined)
    return failed(invalid('Base', 'the revision that the configuration was made from is not given'));
  const stale = staleness(control, base);
  if (stale !== undefined) return failed(stale);
  const read = namedSections(control, given.Config);
  if (read.kind === 'bad') return failed(...read.problems);
  const present = control.revision().config;
  const obstacle = fileObstacle(control, present, read.config, given);
  if (obstacle !== undefined) return failed(obstacle);
  const leaving = present.relationships.filter(
    (one) => !read.config.relationships.some((other) => other.name === one.name),
  );
  const lines: string[] = [];
  for (const { name } of leaving) {
    const removed = await removeFailover.run(context, { Name: [name], Force: false });
    if (removed.kind === 'failed') return removed;
    if (context.whatIf) lines.push(...(removed.value as WhatIfReport).whatIf);
  }
  // From here on the file stands against what the removals above have left.
  const from = leaving.length === 0 ? base : control.revision().number;
  const by = read.config;
  const outcome = await changeLocally(context, 'configuration file applied', (config) => {
    const moved = staleness(control, from);
    if (moved !== undefined) return { kind: 'bad', problems: [moved] };
    const relationships = context.whatIf
      ? config.relationships.filter((one) => !leaving.includes(one))
      : config.relationships;
    const after: Config = { ...by, relationships, tombstones: config.tombstones };
    const wrong = scopeObstacle(control, config, after, given.Force === true);
    return wrong === undefined ? { kind: 'ok', config: after } : { kind: 'bad', problems: [wrong] };
  });
  if (outcome.kind === 'failed') return outcome;
  if (outcome.kind === 'what-if') return succeeded({ whatIf: [...lines, ...outcome.lines] });
  return succeeded({ Revision: outcome.number });
}

function staleness(control: Control, base: number): Problem | undefined {
  const present = control.revision().number;
  return present === base ? undefined : problem(control, 'config/stale', { base, present }, 'Base');
}

export type Sections =
  | { readonly kind: 'ok'; readonly config: Config }
  | { readonly kind: 'bad'; readonly problems: readonly Problem[] };

/** The present configuration with the sections that a file names in place of its own. */
export function namedSections(control: Control, file: Readonly<Record<string, unknown>>): Sections {
  const { revision: _revision, ...sections } = file;
  const parsed = parseConfig({ ...control.revision().config, ...sections });
  if (parsed.kind === 'ok') return parsed;
  return { kind: 'bad', problems: parsed.faults.slice(0, FAULTS_MAX).map(faultProblem) };
}

/** What a file cannot do to relationships, and what it does only with prune. */
function fileObstacle(
  control: Control,
  present: Config,
  wanted: Config,
  given: { readonly Prune?: boolean | null | undefined },
): Problem | undefined {
  for (const relationship of wanted.relationships) {
    const { name } = relationship;
    const was = present.relationships.find((one) => one.name === name);
    const verb = was === undefined ? 'add' : stableText(was) === stableText(relationship) ? undefined : 'change';
    if (verb !== undefined) return problem(control, 'config/relationship-fixed', { verb, name }, name);
  }
  if (given.Prune === true) return undefined;
  for (const { name } of present.relationships) {
    if (wanted.relationships.some((one) => one.name === name)) continue;
    return problem(control, 'config/needs-prune', { object: `failover relationship ${name}` }, name);
  }
  const kept = new Set(wanted.scopes.flatMap((scope) => scope.reservations.map((one) => one.address)));
  const lost = present.scopes.flatMap((scope) => scope.reservations).find((one) => !kept.has(one.address));
  if (lost === undefined) return undefined;
  return problem(control, 'config/needs-prune', { object: `the reservation of ${lost.address}` }, lost.address);
}
