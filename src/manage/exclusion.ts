/**
 * Exclusions: PS_DhcpServerv4ExclusionRange (management specification 2.1).
 */
import { z } from 'zod';
import type { AddressRange, Config } from '../core/config/model.ts';
import type { Problem } from '../core/problems/problem.ts';
import { parseIp4 } from '../wire/units.ts';
import { defineOperation } from './define.ts';
import { changeLocally } from './local-change.ts';
import { failed, type OperationContext, succeeded } from './operation.ts';
import * as params from './params.ts';
import { invalid, listed, problem } from './problems.ts';
import { replaceScope } from './scope.ts';
import { readScopeIds, splitKnown } from './scope-list.ts';
import { scopeOf } from './shared-config.ts';

const exclusionSchema = z.object({ ScopeId: z.string(), StartRange: z.string(), EndRange: z.string() });
type ExclusionObject = z.infer<typeof exclusionSchema>;

export const addExclusion = defineOperation({
  name: 'exclusion.add',
  windows: 'PS_DhcpServerv4ExclusionRange.Add',
  summary: 'Keeps addresses of a scope from being leased.',
  examples: ['twinlease exclusion add --scope-id 10.0.1.0 --start-range 10.0.1.10 --end-range 10.0.1.19'],
  params: z.strictObject({
    ...params.common,
    ScopeId: params.scopeId,
    StartRange: params.address,
    EndRange: params.address,
    PassThru: params.passThru,
  }),
  result: exclusionSchema.nullable(),
  changes: true,
  run: async (context, given) => {
    const ids = readScopeIds([given.ScopeId]);
    if (ids.kind === 'bad') return failed(ids.problem);
    const scopeId = ids.scopeIds[0] ?? given.ScopeId;
    const range = { start: given.StartRange, end: given.EndRange };
    const wrong = wrongAddress(range);
    if (wrong !== undefined) return failed(wrong);
    const what = `exclusion ${range.start} to ${range.end} added to scope ${scopeId}`;
    const outcome = await changeLocally(context, what, (config) => {
      const scope = scopeOf(config, scopeId);
      if (scope === undefined)
        return { kind: 'bad', problems: [problem(context.control, 'scope/unknown', { scopeId }, scopeId)] };
      const fault = rangeFault(scope, range);
      if (fault !== undefined) {
        return {
          kind: 'bad',
          problems: [problem(context.control, 'scope/invalid-range', { scopeId, ...range, why: fault }, range.start)],
        };
      }
      return { kind: 'ok', config: replaceScope(config, { ...scope, exclusions: [...scope.exclusions, range] }) };
    });
    if (outcome.kind === 'failed') return outcome;
    if (outcome.kind === 'what-if') return succeeded({ whatIf: outcome.lines });
    return succeeded(given.PassThru === true ? exclusionObject(scopeId, range) : null);
  },
});

export const getExclusion = defineOperation({
  name: 'exclusion.get',
  windows: 'PS_DhcpServerv4ExclusionRange.Get',
  summary: 'Shows exclusions.',
  examples: ['twinlease exclusion get', 'twinlease exclusion get --scope-id 10.0.1.0'],
  params: z.strictObject({ ...params.common, ScopeId: params.scopeIds.nullish() }),
  result: z.array(exclusionSchema),
  changes: false,
  run: async ({ control }, given) => {
    const { config } = control.revision();
    const all = config.scopes.map((scope) => scope.scopeId);
    const ids =
      given.ScopeId == null || given.ScopeId.length === 0
        ? { kind: 'ok' as const, scopeIds: all }
        : readScopeIds(given.ScopeId);
    if (ids.kind === 'bad') return failed(ids.problem);
    const { known, errors } = splitKnown(control, config, ids.scopeIds);
    const found = known.flatMap((scope) => scope.exclusions.map((range) => exclusionObject(scope.scopeId, range)));
    return known.length === 0 ? listed<ExclusionObject>([], errors) : succeeded(found, [], errors);
  },
});

export const removeExclusion = defineOperation({
  name: 'exclusion.remove',
  windows: 'PS_DhcpServerv4ExclusionRange.Remove',
  summary: 'Removes an exclusion, or all of a scope.',
  examples: ['twinlease exclusion remove --scope-id 10.0.1.0 --start-range 10.0.1.10 --end-range 10.0.1.19'],
  params: z.strictObject({
    ...params.common,
    ScopeId: params.scopeId,
    StartRange: params.optionalText.describe('All exclusions of the scope when both ends are left out.'),
    EndRange: params.optionalText,
    PassThru: params.passThru,
  }),
  result: z.array(exclusionSchema).nullable(),
  changes: true,
  run: async (context, given) => {
    const ids = readScopeIds([given.ScopeId]);
    if (ids.kind === 'bad') return failed(ids.problem);
    const scopeId = ids.scopeIds[0] ?? given.ScopeId;
    if ((given.StartRange == null) !== (given.EndRange == null))
      return failed(invalid('EndRange', 'both ends of the range are needed'));
    const range =
      given.StartRange == null || given.EndRange == null ? undefined : { start: given.StartRange, end: given.EndRange };
    const before = scopeOf(context.control.revision().config, scopeId);
    const outcome = await changeLocally(context, `exclusions removed from scope ${scopeId}`, (config) =>
      without(context, config, scopeId, range),
    );
    if (outcome.kind === 'failed') return outcome;
    if (outcome.kind === 'what-if') return succeeded({ whatIf: outcome.lines });
    if (given.PassThru !== true) return succeeded(null);
    const gone = (before?.exclusions ?? []).filter((one) => range === undefined || isSame(one, range));
    return succeeded(gone.map((one) => exclusionObject(scopeId, one)));
  },
});

function without(context: OperationContext, config: Config, scopeId: string, range: AddressRange | undefined) {
  const { control } = context;
  const scope = scopeOf(config, scopeId);
  if (scope === undefined)
    return { kind: 'bad' as const, problems: [problem(control, 'scope/unknown', { scopeId }, scopeId)] };
  const exclusions = range === undefined ? [] : scope.exclusions.filter((one) => !isSame(one, range));
  if (range !== undefined && exclusions.length === scope.exclusions.length) {
    return {
      kind: 'bad' as const,
      problems: [problem(control, 'exclusion/unknown', { scopeId, ...range }, range.start)],
    };
  }
  return { kind: 'ok' as const, config: replaceScope(config, { ...scope, exclusions }) };
}

function wrongAddress(range: AddressRange): Problem | undefined {
  if (parseIp4(range.start) === undefined) return invalid('StartRange', 'it is not an address');
  return parseIp4(range.end) === undefined ? invalid('EndRange', 'it is not an address') : undefined;
}

function rangeFault(
  scope: { startRange: string; endRange: string; exclusions: readonly AddressRange[] },
  range: AddressRange,
): string | undefined {
  const [first, last] = [parseIp4(range.start) ?? 0, parseIp4(range.end) ?? 0];
  if (first > last) return 'its end is before its start';
  if (first < (parseIp4(scope.startRange) ?? 0) || last > (parseIp4(scope.endRange) ?? 0))
    return 'it is not within the range of the scope';
  const meets = scope.exclusions.some((one) => (parseIp4(one.start) ?? 0) <= last && (parseIp4(one.end) ?? 0) >= first);
  return meets ? 'it meets an exclusion that is there already' : undefined;
}

function isSame(a: AddressRange, b: AddressRange): boolean {
  return a.start === b.start && a.end === b.end;
}

function exclusionObject(scopeId: string, range: AddressRange): ExclusionObject {
  return { ScopeId: scopeId, StartRange: range.start, EndRange: range.end };
}
