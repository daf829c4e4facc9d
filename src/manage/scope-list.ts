/**
 * Reading lists of scope ids and checking the scopes they name: what several operations do in the same way.
 */
import type { Config, Scope } from '../core/config/model.ts';
import type { Problem } from '../core/problems/problem.ts';
import type { Control } from '../server/control.ts';
import { formatIp4, parseIp4 } from '../wire/units.ts';
import { invalid, problem } from './problems.ts';
import { scopeOf } from './shared-config.ts';

export type ScopeIds =
  | { readonly kind: 'ok'; readonly scopeIds: readonly string[] }
  | { readonly kind: 'bad'; readonly problem: Problem };

/** Scope ids as given, without repetitions; bad when there are none or one is not an address. */
export function readScopeIds(given: readonly string[], parameter = 'ScopeId'): ScopeIds {
  if (given.length === 0) return { kind: 'bad', problem: invalid(parameter, 'no scope is given') };
  const scopeIds: string[] = [];
  for (const text of given) {
    const address = parseIp4(text.trim());
    if (address === undefined || address === 0) {
      return {
        kind: 'bad',
        problem: invalid(parameter, `${JSON.stringify(text.slice(0, 64))} is not the address of a network`),
      };
    }
    const scopeId = formatIp4(address);
    if (!scopeIds.includes(scopeId)) scopeIds.push(scopeId);
  }
  return { kind: 'ok', scopeIds };
}

/** Divides scope ids by whether the server has such a scope. */
export function splitKnown(
  control: Control,
  config: Config,
  scopeIds: readonly string[],
): { readonly known: readonly Scope[]; readonly errors: readonly Problem[] } {
  const known: Scope[] = [];
  const errors: Problem[] = [];
  for (const scopeId of scopeIds) {
    const scope = scopeOf(config, scopeId);
    if (scope === undefined) errors.push(problem(control, 'scope/unknown', { scopeId }, scopeId));
    else known.push(scope);
  }
  return { known, errors };
}

/** Features that the partner must have to serve these scopes as this server does. */
export function featuresUsed(scopes: readonly Scope[]): string[] {
  const features = new Set<string>();
  for (const scope of scopes) {
    const options = [...scope.options, ...scope.reservations.flatMap((reservation) => reservation.options)];
    if (options.some((option) => option.vendorClass !== undefined || option.userClass !== undefined))
      features.add('class-options');
    const isByRelay = scope.reservations.some(
      ({ client }) => client.kind === 'circuit-id' || client.kind === 'remote-id',
    );
    if (isByRelay) features.add('relay-reservations');
  }
  return [...features].sort();
}
