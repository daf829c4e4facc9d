/**
 * The one way in which an operation changes the configuration of this server: made from the revision in force, checked, kept away
 * from what a change on two servers holds, and tried again when another change came first.
 */
import { checkConfig } from '../core/config/checks.ts';
import type { Config } from '../core/config/model.ts';
import { faultProblem } from '../core/problems/config-faults.ts';
import type { Problem } from '../core/problems/problem.ts';
import type { ConfigChange } from '../server/control.ts';
import { changesOf } from './changes.ts';
import { followerOf } from './follow.ts';
import { changesThere } from './foreign-scopes.ts';
import type { OperationContext } from './operation.ts';
import { whatWouldChange } from './what-if.ts';

/** Faults of a configuration that are reported at once. */
const FAULTS_MAX = 20;
const STALE_RETRIES_MAX = 16;

export type Mutation =
  | {
      readonly kind: 'ok';
      readonly config: Config;
      readonly with?: Pick<
        ConfigChange,
        'forgotten' | 'given' | 'newRelationships' | 'silentScopeIds' | 'transactions'
      >;
    }
  | { readonly kind: 'bad'; readonly problems: readonly Problem[] };

export type LocalOutcome =
  | { readonly kind: 'changed'; readonly config: Config; readonly number: number }
  /** Nothing was changed, because only the consequences were asked for. */
  | { readonly kind: 'what-if'; readonly lines: readonly string[] }
  | { readonly kind: 'failed'; readonly problems: readonly Problem[] };

/** Makes a change of this server's configuration, or says what it would do. `mutate` may be called several times. */
export async function changeLocally(
  context: OperationContext,
  what: string,
  mutate: (config: Config) => Mutation,
): Promise<LocalOutcome> {
  const { control } = context;
  for (let attempt = 0; attempt < STALE_RETRIES_MAX; attempt++) {
    const revision = control.revision();
    const mutation = mutate(revision.config);
    if (mutation.kind === 'bad') return { kind: 'failed', problems: mutation.problems };
    const { config } = mutation;
    const faults = checkConfig(config).slice(0, FAULTS_MAX).map(faultProblem);
    if (faults.length > 0) return { kind: 'failed', problems: faults };
    const obstacle = changesOf(control).obstacle(revision.config, config);
    if (obstacle !== undefined) return { kind: 'failed', problems: [obstacle] };
    if (context.whatIf) {
      warnOfOtherMakes(context, revision.config, config);
      return { kind: 'what-if', lines: whatWouldChange(control, revision.config, config) };
    }
    if (JSON.stringify(config) === JSON.stringify(revision.config)) {
      return { kind: 'changed', config, number: revision.number };
    }
    const by = `${context.caller.account} (${context.caller.door})`;
    const outcome = await control.changeConfig({ base: revision.number, by, what, config, ...mutation.with });
    if (outcome.kind === 'ok') {
      followerOf(control).onConfigChanged();
      warnOfOtherMakes(context, revision.config, config);
      return { kind: 'changed', config: outcome.revision.config, number: outcome.revision.number };
    }
    if (outcome.kind === 'bad') return { kind: 'failed', problems: outcome.problems };
  }
  const slots = { base: control.revision().number, present: control.revision().number };
  return { kind: 'failed', problems: [{ code: 'config/stale', slots }] };
}

/** Scopes that are shared with servers of another make change there only by their own tools. */
function warnOfOtherMakes({ control, warn }: OperationContext, before: Config, after: Config): void {
  if (warn === undefined) return;
  for (const warning of changesThere(control, before, after)) warn(warning);
}
