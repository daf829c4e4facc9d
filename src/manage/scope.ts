/**
 * Scopes: PS_DhcpServerv4Scope (management specification 2.1, 2.2). NAP is gone from Windows too; its parameters are taken and
 * must be off.
 */
import { z } from 'zod';
import { defaultScope } from '../core/config/defaults.ts';
import type { Config, Scope } from '../core/config/model.ts';
import type { Problem } from '../core/problems/problem.ts';
import { formatIp4, ip4, parseIp4, prefixLengthOf } from '../wire/units.ts';
import { address32 } from './change-body.ts';
import { defineOperation } from './define.ts';
import { changeLocally, type Mutation } from './local-change.ts';
import { failed, type OperationContext, type Outcome, succeeded, type WhatIfReport } from './operation.ts';
import * as params from './params.ts';
import { invalid, listed, problem } from './problems.ts';
import { scopeObstacle } from './scope-guards.ts';
import { readScopeIds, splitKnown } from './scope-list.ts';
import { scopeOf } from './shared-config.ts';

export const scopeSchema = z.object({
  ScopeId: z.string(),
  Name: z.string(),
  Description: z.string(),
  SubnetMask: z.string(),
  StartRange: z.string(),
  EndRange: z.string(),
  SuperscopeName: z.string().nullable(),
  LeaseDuration: z.int(),
  NapProfile: z.string().nullable(),
  NapEnable: z.boolean(),
  Delay: z.int(),
  State: z.enum(['Active', 'Inactive']),
  Type: z.enum(['Dhcp', 'Bootp', 'Both']),
  MaxBootpClients: z.int(),
  ActivatePolicies: z.boolean(),
});
export type ScopeObject = z.infer<typeof scopeSchema>;

export function scopeObject(scope: Scope): ScopeObject {
  return {
    ScopeId: scope.scopeId,
    Name: scope.name,
    Description: scope.description,
    SubnetMask: scope.subnetMask,
    StartRange: scope.startRange,
    EndRange: scope.endRange,
    SuperscopeName: scope.superscopeName,
    LeaseDuration: scope.leaseDurationSec,
    NapProfile: null,
    NapEnable: false,
    Delay: scope.delayMs,
    State: scope.state,
    Type: scope.type,
    MaxBootpClients: scope.maxBootpClients,
    ActivatePolicies: scope.activatePolicies,
  };
}

/** Settings that Add and both forms of Set take. */
const settings = {
  Description: params.optionalText,
  State: params.optionalText.describe('Active or Inactive.'),
  SuperscopeName: params.optionalText,
  MaxBootpClients: params.uint32.nullish(),
  ActivatePolicies: params.flag,
  NapEnable: params.flag,
  NapProfile: params.optionalText,
  Delay: z.int().min(0).max(0xffff).nullish().describe('Wait before an OFFER, in milliseconds, 0 to 1000.'),
  LeaseDuration: params.seconds.nullish().describe('4294967295 is without end.'),
  Type: params.optionalText.describe('Dhcp, Bootp or Both.'),
  PassThru: params.passThru,
};
type Settings = z.infer<z.ZodObject<typeof settings>>;

const addParams = z.strictObject({
  ...params.common,
  StartRange: params.address,
  EndRange: params.address,
  Name: params.text,
  SubnetMask: z.string().describe('As in 255.255.255.0.'),
  ...settings,
});
const setParams = z.strictObject({ ...params.common, ScopeId: params.scopeId, Name: params.optionalText, ...settings });
const setWithRangeParams = setParams.extend({ StartRange: params.address, EndRange: params.address });

export const addScope = defineOperation({
  name: 'scope.add',
  windows: 'PS_DhcpServerv4Scope.Add',
  summary: 'Adds a scope: a network whose addresses are leased.',
  examples: [
    'twinlease scope add --name office --start-range 10.0.1.10 --end-range 10.0.1.200 --subnet-mask 255.255.255.0',
  ],
  params: addParams,
  result: scopeSchema.nullable(),
  changes: true,
  run: async (context, given) => {
    const { control } = context;
    const read = readSettings(given);
    if (read.kind === 'bad') return failed(read.problem);
    const start = parseIp4(given.StartRange);
    const end = parseIp4(given.EndRange);
    const mask = parseIp4(given.SubnetMask);
    if (start === undefined) return failed(invalid('StartRange', 'it is not an address'));
    if (end === undefined) return failed(invalid('EndRange', 'it is not an address'));
    if (mask === undefined || prefixLengthOf(mask) === undefined)
      return failed(invalid('SubnetMask', 'it is not a subnet mask'));
    const scopeId = formatIp4(ip4(start & mask));
    const scope = defaultScope({
      scopeId,
      subnetMask: given.SubnetMask,
      name: given.Name,
      startRange: given.StartRange,
      endRange: given.EndRange,
      ...read.settings,
    });
    const outcome = await changeLocally(context, `scope ${scopeId} added`, (config) => {
      if (overlapping(config, ip4(start & mask), mask) !== undefined) {
        return { kind: 'bad', problems: [problem(control, 'scope/exists', { scopeId }, scopeId)] };
      }
      return { kind: 'ok', config: { ...config, scopes: [...config.scopes, scope] } };
    });
    return answer(outcome, scopeId, given.PassThru === true);
  },
});

export const getScope = defineOperation({
  name: 'scope.get',
  windows: 'PS_DhcpServerv4Scope.Get',
  summary: 'Shows scopes.',
  examples: ['twinlease scope get', 'twinlease scope get --scope-id 10.0.1.0'],
  params: z.strictObject({ ...params.common, ScopeId: params.scopeIds.nullish() }),
  result: z.array(scopeSchema),
  changes: false,
  run: async ({ control }, given) => {
    const { config } = control.revision();
    if (given.ScopeId == null || given.ScopeId.length === 0) return succeeded(config.scopes.map(scopeObject));
    const ids = readScopeIds(given.ScopeId);
    if (ids.kind === 'bad') return failed(ids.problem);
    const { known, errors } = splitKnown(control, config, ids.scopeIds);
    return listed(known.map(scopeObject), errors);
  },
});

export const setScope = defineOperation({
  name: 'scope.set-by-without-range',
  windows: 'PS_DhcpServerv4Scope.SetByWithoutRange',
  summary: 'Changes a scope.',
  examples: ['twinlease scope set --scope-id 10.0.1.0 --lease-duration 1d'],
  params: setParams,
  result: scopeSchema.nullable(),
  changes: true,
  run: (context, given) => set(context, given, undefined),
});

export const setScopeWithRange = defineOperation({
  name: 'scope.set-by-with-range',
  windows: 'PS_DhcpServerv4Scope.SetByWithRange',
  summary: 'Changes a scope and its range.',
  examples: ['twinlease scope set --scope-id 10.0.1.0 --start-range 10.0.1.10 --end-range 10.0.1.250'],
  params: setWithRangeParams,
  result: scopeSchema.nullable(),
  changes: true,
  run: (context, given) => set(context, given, { startRange: given.StartRange, endRange: given.EndRange }),
});

export const removeScope = defineOperation({
  name: 'scope.remove',
  windows: 'PS_DhcpServerv4Scope.Remove',
  summary: 'Removes scopes with everything that is known of their addresses.',
  examples: ['twinlease scope remove --scope-id 10.0.1.0 --force'],
  params: z.strictObject({
    ...params.common,
    ScopeId: params.scopeIds,
    Force: params.flag.describe('Also when clients hold addresses of the scope.'),
    PassThru: params.passThru,
  }),
  result: z.array(scopeSchema).nullable(),
  changes: true,
  run: async (context, given) => {
    const { control } = context;
    const ids = readScopeIds(given.ScopeId);
    if (ids.kind === 'bad') return failed(ids.problem);
    const { known, errors } = splitKnown(control, control.revision().config, ids.scopeIds);
    const removed: ScopeObject[] = [];
    const problems: Problem[] = [...errors];
    const lines: string[] = [];
    for (const { scopeId } of known) {
      const outcome = await changeLocally(context, `scope ${scopeId} removed`, (config) =>
        without(context, config, scopeId, given.Force === true),
      );
      if (outcome.kind === 'failed') problems.push(...outcome.problems);
      else removed.push(...known.filter((scope) => scope.scopeId === scopeId).map(scopeObject));
      if (outcome.kind === 'what-if') lines.push(...outcome.lines);
    }
    if (removed.length === 0 && problems.length > 0) return failed(...problems);
    if (context.whatIf) return succeeded({ whatIf: lines }, [], problems);
    return succeeded(given.PassThru === true ? removed : null, [], problems);
  },
});

function without(context: OperationContext, config: Config, scopeId: string, force: boolean): Mutation {
  const after = { ...config, scopes: config.scopes.filter((scope) => scope.scopeId !== scopeId) };
  const obstacle = scopeObstacle(context.control, config, after, force);
  if (obstacle !== undefined) return { kind: 'bad', problems: [obstacle] };
  return { kind: 'ok', config: after, with: { forgotten: [address32(scopeId)] } };
}

interface Range {
  readonly startRange: string;
  readonly endRange: string;
}

async function set(
  context: OperationContext,
  given: z.infer<typeof setParams>,
  range: Range | undefined,
): Promise<Outcome<ScopeObject | null | WhatIfReport>> {
  const { control } = context;
  const ids = readScopeIds([given.ScopeId]);
  if (ids.kind === 'bad') return failed(ids.problem);
  const read = readSettings(given);
  if (read.kind === 'bad') return failed(read.problem);
  if (range !== undefined && parseIp4(range.startRange) === undefined)
    return failed(invalid('StartRange', 'it is not an address'));
  if (range !== undefined && parseIp4(range.endRange) === undefined)
    return failed(invalid('EndRange', 'it is not an address'));
  const scopeId = ids.scopeIds[0] ?? given.ScopeId;
  const name = given.Name == null ? {} : { name: given.Name };
  const outcome = await changeLocally(context, `scope ${scopeId} changed`, (config) => {
    const present = scopeOf(config, scopeId);
    if (present === undefined)
      return { kind: 'bad', problems: [problem(control, 'scope/unknown', { scopeId }, scopeId)] };
    const changed: Scope = { ...present, ...read.settings, ...name, ...range };
    const after = replaceScope(config, changed);
    const obstacle = scopeObstacle(control, config, after, false);
    return obstacle === undefined ? { kind: 'ok', config: after } : { kind: 'bad', problems: [obstacle] };
  });
  return answer(outcome, scopeId, given.PassThru === true);
}

function answer(
  outcome: Awaited<ReturnType<typeof changeLocally>>,
  scopeId: string,
  passThru: boolean,
): Outcome<ScopeObject | null | WhatIfReport> {
  if (outcome.kind === 'failed') return outcome;
  if (outcome.kind === 'what-if') return succeeded({ whatIf: outcome.lines });
  const scope = scopeOf(outcome.config, scopeId);
  return succeeded(passThru && scope !== undefined ? scopeObject(scope) : null);
}

export function replaceScope(config: Config, changed: Scope): Config {
  return { ...config, scopes: config.scopes.map((scope) => (scope.scopeId === changed.scopeId ? changed : scope)) };
}

type ReadSettings =
  | { readonly kind: 'ok'; readonly settings: Partial<Scope> }
  | { readonly kind: 'bad'; readonly problem: Problem };

function readSettings(given: Settings): ReadSettings {
  const state = choice(given.State, ['Active', 'Inactive'] as const);
  if (state === 'bad') return bad('State', 'it is neither Active nor Inactive');
  const type = choice(given.Type, ['Dhcp', 'Bootp', 'Both'] as const);
  if (type === 'bad') return bad('Type', 'it is not Dhcp, Bootp or Both');
  if (given.NapEnable === true) return bad('NapEnable', 'network access protection is not supported');
  if (given.Delay != null && given.Delay > 1000) return bad('Delay', 'it is more than 1000 ms');
  if (given.LeaseDuration === 0) return bad('LeaseDuration', 'it must be more than nothing');
  return {
    kind: 'ok',
    settings: {
      ...(given.Description == null ? {} : { description: given.Description }),
      ...(state === undefined ? {} : { state }),
      ...(type === undefined ? {} : { type }),
      ...(given.SuperscopeName == null
        ? {}
        : { superscopeName: given.SuperscopeName === '' ? null : given.SuperscopeName }),
      ...(given.MaxBootpClients == null ? {} : { maxBootpClients: given.MaxBootpClients }),
      ...(given.ActivatePolicies == null ? {} : { activatePolicies: given.ActivatePolicies }),
      ...(given.Delay == null ? {} : { delayMs: given.Delay }),
      ...(given.LeaseDuration == null ? {} : { leaseDurationSec: given.LeaseDuration }),
    },
  };
}

function bad(parameter: string, why: string): ReadSettings {
  return { kind: 'bad', problem: invalid(parameter, why) };
}

/** One of the allowed words whatever its case (management specification 1.1). */
export function choice<T extends string>(given: string | null | undefined, words: readonly T[]): T | undefined | 'bad' {
  if (given == null) return undefined;
  return words.find((word) => word.toLowerCase() === given.toLowerCase()) ?? 'bad';
}

function overlapping(config: Config, network: number, mask: number): Scope | undefined {
  const last = (network | ~mask) >>> 0;
  return config.scopes.find((scope) => {
    const first = address32(scope.scopeId);
    const end = (first | ~address32(scope.subnetMask)) >>> 0;
    return first <= last && end >= network;
  });
}
