/**
 * Superscopes: PS_DhcpServerv4Superscope. A superscope is no object of its own but a name that scopes of one physical network have
 * in common.
 */
import { z } from 'zod';
import type { Config } from '../core/config/model.ts';
import type { Problem } from '../core/problems/problem.ts';
import type { Control } from '../server/control.ts';
import { defineOperation } from './define.ts';
import { changeLocally } from './local-change.ts';
import { failed, succeeded } from './operation.ts';
import * as params from './params.ts';
import { invalid, listed, problem } from './problems.ts';
import { readScopeIds, splitKnown } from './scope-list.ts';

const superscopeSchema = z.object({ SuperscopeName: z.string(), ScopeId: z.array(z.string()) });
type SuperscopeObject = z.infer<typeof superscopeSchema>;

export const addSuperscope = defineOperation({
  name: 'superscope.add',
  windows: 'PS_DhcpServerv4Superscope.Add',
  summary: 'Puts scopes of one physical network together.',
  examples: ['twinlease superscope add --superscope-name floor1 --scope-id 10.0.1.0 --scope-id 10.0.2.0'],
  params: z.strictObject({
    ...params.common,
    SuperscopeName: params.text,
    ScopeId: params.scopeIds,
    Force: params.flag.describe('Also takes scopes out of another superscope.'),
    PassThru: params.passThru,
  }),
  result: z.array(superscopeSchema).nullable(),
  changes: true,
  run: async (context, given) => {
    const { control } = context;
    const name = given.SuperscopeName;
    if (name.trim() === '') return failed(invalid('SuperscopeName', 'it is empty'));
    const ids = readScopeIds(given.ScopeId);
    if (ids.kind === 'bad') return failed(ids.problem);
    const { known, errors } = splitKnown(control, control.revision().config, ids.scopeIds);
    if (known.length === 0) return failed(...errors);
    const elsewhere = known.find((scope) => scope.superscopeName !== null && scope.superscopeName !== name);
    if (elsewhere !== undefined && given.Force !== true) {
      return failed(invalid('ScopeId', `scope ${elsewhere.scopeId} is in superscope ${elsewhere.superscopeName}`));
    }
    const chosen = known.map((scope) => scope.scopeId);
    const outcome = await changeLocally(context, `superscope ${name} changed`, (config) => ({
      kind: 'ok',
      config: renamed(config, chosen, name),
    }));
    if (outcome.kind === 'failed') return outcome;
    if (outcome.kind === 'what-if') return succeeded({ whatIf: outcome.lines }, [], errors);
    return succeeded(
      given.PassThru === true ? superscopes(outcome.config).filter((one) => one.SuperscopeName === name) : null,
      [],
      errors,
    );
  },
});

export const getSuperscope = defineOperation({
  name: 'superscope.get',
  windows: 'PS_DhcpServerv4Superscope.Get',
  summary: 'Shows superscopes.',
  examples: ['twinlease superscope get'],
  params: z.strictObject({ ...params.common, SuperscopeName: params.texts.nullish() }),
  result: z.array(superscopeSchema),
  changes: false,
  run: async ({ control }, given) => {
    const all = superscopes(control.revision().config);
    const wanted = given.SuperscopeName ?? [];
    if (wanted.length === 0) return succeeded(all);
    const errors: Problem[] = wanted
      .filter((name) => !all.some((one) => one.SuperscopeName === name))
      .map((name) => unknown(control, name));
    return listed(
      all.filter((one) => wanted.includes(one.SuperscopeName)),
      errors,
    );
  },
});

export const renameSuperscope = defineOperation({
  name: 'superscope.rename',
  windows: 'PS_DhcpServerv4Superscope.Rename',
  summary: 'Renames a superscope.',
  examples: ['twinlease superscope rename --name floor1 --new-name floor-1'],
  params: z.strictObject({ ...params.common, Name: params.text, NewName: params.text, PassThru: params.passThru }),
  result: superscopeSchema.nullable(),
  changes: true,
  run: async (context, given) => {
    const { control } = context;
    if (given.NewName.trim() === '') return failed(invalid('NewName', 'it is empty'));
    const outcome = await changeLocally(context, `superscope ${given.Name} renamed`, (config) => {
      const members = membersOf(config, given.Name);
      if (members.length === 0) return { kind: 'bad', problems: [unknown(control, given.Name)] };
      if (membersOf(config, given.NewName).length > 0)
        return { kind: 'bad', problems: [invalid('NewName', 'a superscope has this name')] };
      return { kind: 'ok', config: renamed(config, members, given.NewName) };
    });
    if (outcome.kind === 'failed') return outcome;
    if (outcome.kind === 'what-if') return succeeded({ whatIf: outcome.lines });
    const now = superscopes(outcome.config).find((one) => one.SuperscopeName === given.NewName);
    return succeeded(given.PassThru === true ? (now ?? null) : null);
  },
});

export const removeSuperscope = defineOperation({
  name: 'superscope.remove',
  windows: 'PS_DhcpServerv4Superscope.Remove',
  summary: 'Takes scopes out of a superscope, or all of them; the scopes stay.',
  examples: ['twinlease superscope remove --superscope-name floor1'],
  params: z.strictObject({
    ...params.common,
    SuperscopeName: params.text,
    ScopeId: params.scopeIds.nullish(),
    PassThru: params.passThru,
  }),
  result: z.array(superscopeSchema).nullable(),
  changes: true,
  run: async (context, given) => {
    const { control } = context;
    const name = given.SuperscopeName;
    const wanted = given.ScopeId ?? [];
    const before = superscopes(control.revision().config).filter((one) => one.SuperscopeName === name);
    const outcome = await changeLocally(context, `superscope ${name} removed`, (config) => {
      const members = membersOf(config, name);
      if (members.length === 0) return { kind: 'bad', problems: [unknown(control, name)] };
      const stranger = wanted.find((scopeId) => !members.includes(scopeId));
      if (stranger !== undefined)
        return { kind: 'bad', problems: [problem(control, 'scope/unknown', { scopeId: stranger }, stranger)] };
      return { kind: 'ok', config: renamed(config, wanted.length === 0 ? members : wanted, null) };
    });
    if (outcome.kind === 'failed') return outcome;
    if (outcome.kind === 'what-if') return succeeded({ whatIf: outcome.lines });
    return succeeded(given.PassThru === true ? before : null);
  },
});

function superscopes(config: Config): SuperscopeObject[] {
  const names = [...new Set(config.scopes.map((scope) => scope.superscopeName).filter((name) => name !== null))].sort();
  return names.map((name) => ({ SuperscopeName: name, ScopeId: membersOf(config, name) }));
}

function membersOf(config: Config, name: string): string[] {
  return config.scopes.filter((scope) => scope.superscopeName === name).map((scope) => scope.scopeId);
}

function renamed(config: Config, scopeIds: readonly string[], superscopeName: string | null): Config {
  return {
    ...config,
    scopes: config.scopes.map((scope) => (scopeIds.includes(scope.scopeId) ? { ...scope, superscopeName } : scope)),
  };
}

function unknown(control: Control, name: string): Problem {
  return problem(control, 'request/not-found', { object: `superscope ${name}` }, name);
}
