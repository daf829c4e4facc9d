/**
 * Classes and subclasses to values for a vendor class or a user class. dhcpd executes them after the network's levels, so a class's
 * value wins there; here a value of the scope goes over one of the server, so the class's is said again in each scope that has its own.
 */
import type { OptionValue } from '../../core/config/model.ts';
import { optionsOf, settle } from './effective.ts';
import { conditionalValues, type Emission, noteUsed, settingsOf, withoutRepeats } from './emit.ts';
import { type ClassDeclaration, chainOf, type Declared, type Level } from './model.ts';
import type { Report } from './report.ts';
import type { ScopeDraft } from './scopes.ts';

export interface ClassValues {
  readonly server: readonly OptionValue[];
  readonly byScope: ReadonlyMap<string, readonly OptionValue[]>;
}

export function emitClasses(declared: Declared, drafts: readonly ScopeDraft[], report: Report): ClassValues {
  const server: OptionValue[] = [];
  const byScope = new Map<string, OptionValue[]>();
  // dhcpd executes the last class first, so the first one wins; of equal values of a level here the last one does.
  for (const ofClass of [...declared.classes].reverse()) {
    const { test } = ofClass;
    if (test === undefined) continue;
    const own = new Set(chainOf(ofClass.level).filter((level) => level.kind === 'class'));
    const settings = settingsOf(own);
    const emission = emissionOf(declared, report, ofClass, [declared.global], own);
    const settled = settle(emission.chain);
    const general = conditionalValues(emission, settled, settings, test);
    noteUsed(emission, settled, settings);
    server.push(...general);
    for (const draft of drafts) {
      const inScope = emissionOf(declared, report, ofClass, draft.chain, own);
      const plain = optionsOf(settle(draft.chain), declared);
      const values = conditionalValues(inScope, settle(inScope.chain), settings, test).filter(
        (value) =>
          isOfScope(plain.get(value.code)?.sources, draft.chain) ||
          !general.some((other) => other.code === value.code && other.hex === value.hex),
      );
      if (values.length > 0) byScope.set(draft.scopeId, [...(byScope.get(draft.scopeId) ?? []), ...values]);
    }
  }
  for (const ofClass of declared.classes) {
    noteParameters(ofClass, report);
    noteClass(ofClass, declared, report);
  }
  const scopes = [...byScope].map(([scopeId, values]) => [scopeId, withoutRepeats(values)] as const);
  return { server: withoutRepeats(server), byScope: new Map(scopes) };
}

function emissionOf(
  declared: Declared,
  report: Report,
  { name }: ClassDeclaration,
  outer: readonly Level[],
  own: ReadonlySet<Level>,
): Emission {
  return { declared, report, chain: [...outer, ...own], inner: own, where: `the clients of class "${name}"` };
}

/** Whether a value comes from the levels of the scope, not from the global one. */
function isOfScope(sources: readonly { readonly statement: unknown }[] | undefined, chain: readonly Level[]): boolean {
  const levels = new Set(chain.filter((level) => level.kind !== 'global'));
  const settings = settingsOf(levels);
  return sources?.some((source) => [...settings].some((setting) => setting === source)) === true;
}

const LEASE_TIMES: ReadonlySet<string> = new Set(['=default-lease-time', '=max-lease-time', '=min-lease-time']);

function noteParameters({ level }: ClassDeclaration, report: Report): void {
  for (const { key, statement } of settingsOf(new Set([level]))) {
    if (!LEASE_TIMES.has(key)) continue;
    const advice = 'Set it for the scope (`twinlease scope set`) or for reservations.';
    report.notCarried(statement, 'a lease time cannot hold for a class of clients', advice);
  }
}

function noteClass(
  { statement, test, name, matched, level }: ClassDeclaration,
  declared: Declared,
  report: Report,
): void {
  if (test === undefined) {
    const hasSubclasses = matched !== undefined && declared.classes.some((one) => one.level.parent === level);
    if (hasSubclasses) {
      report.carried(statement, 'its subclasses are carried over');
      return;
    }
    const advice = 'Set the values by vendor class or user class: `twinlease option set --vendor-class`.';
    report.wholeNotCarried(statement, 'its clients cannot be told apart here', advice);
    return;
  }
  const { vendorClass, userClass, difference } = test;
  const whose = vendorClass === undefined ? `user class "${userClass}"` : `vendor class "${vendorClass}"`;
  const outcome = `the values of class "${name}" are for the ${whose}`;
  if (difference === null) report.carried(statement, outcome);
  else report.changed(statement, `${outcome}; ${difference}`);
}
