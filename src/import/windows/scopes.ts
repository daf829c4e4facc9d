/** Scopes of an export. Both products have the same scope, so almost everything in one is carried over as it is. */

import { checkScope } from '../../core/config/checks.ts';
import { defaultScope } from '../../core/config/defaults.ts';
import type { AddressRange, ClientKind, Reservation, ReservationKey, Scope } from '../../core/config/model.ts';
import { formatIp4, type Ip4, ip4, maskOf, parseIp4, prefixLengthOf, toHex } from '../../wire/units.ts';
import { child, type Element, listIn, textOf } from './elements.ts';
import { type OptionContext, readOptionValues } from './options.ts';
import { HARDWARE_OCTETS, readOctets, readTimeSpan } from './values.ts';

const NAME_MAX = 255;
const DELAY_MS_MAX = 1000;
const UINT32_MAX = 0xffffffff;
const ADVICE_POLICY = 'Give the clients of the policy reservations, or options for their class.';

export function readScopes(context: OptionContext, ipv4: Element): Scope[] {
  const { report } = context;
  const scopes: Scope[] = [];
  report.carried(child(ipv4, 'Scopes'), 'the scopes');
  for (const element of listIn(ipv4, 'Scopes')) {
    if (element.key !== 'scope') continue;
    const scope = readScope(context, element);
    const why = typeof scope === 'string' ? scope : overlapOf(scope, scopes);
    if (typeof scope === 'string' || why !== undefined)
      report.wholeNotCarried(element, `the scope is not carried over: ${why}`);
    else scopes.push(scope);
  }
  return scopes;
}

function readScope(context: OptionContext, element: Element): Scope | string {
  const { report } = context;
  const addresses = ['ScopeId', 'SubnetMask', 'StartRange', 'EndRange'].map((name) =>
    parseIp4(textOf(element, name) ?? ''),
  );
  const [id, mask, start, end] = addresses;
  if (id === undefined || mask === undefined || start === undefined || end === undefined)
    return 'its network or its range is not understood';
  const prefixLength = prefixLengthOf(mask);
  if (prefixLength === undefined) return 'its subnet mask is not understood';
  const scopeId = formatIp4(id);
  const basic = defaultScope({
    scopeId,
    subnetMask: formatIp4(maskOf(prefixLength)),
    name: (textOf(element, 'Name') ?? scopeId).slice(0, NAME_MAX),
    startRange: formatIp4(start),
    endRange: formatIp4(end),
  });
  const [fault] = checkScope(basic);
  if (fault !== undefined) return `${fault.path.replace(/^scope\./, '')} ${fault.what}`;
  const where = `scope ${scopeId}`;
  const kind = clientKind(textOf(element, 'Type'));
  for (const name of ['ScopeId', 'SubnetMask', 'StartRange', 'EndRange', 'Name', 'Description'])
    report.carried(child(element, name), where);
  const scope: Scope = {
    ...basic,
    description: (textOf(element, 'Description') ?? '').slice(0, NAME_MAX),
    exclusions: readExclusions(context, element, { first: start, last: end }),
    reservations: readReservations(context, element, basic, prefixLength),
    state: /^inactive$/i.test(textOf(element, 'State') ?? '') ? 'Inactive' : 'Active',
    type: kind ?? 'Dhcp',
    leaseDurationSec: leaseSec(context, element) ?? basic.leaseDurationSec,
    delayMs: number(context, element, 'Delay', DELAY_MS_MAX) ?? basic.delayMs,
    maxBootpClients: number(context, element, 'MaxBootpClients', UINT32_MAX) ?? basic.maxBootpClients,
    superscopeName: textOf(element, 'SuperScopeName')?.slice(0, NAME_MAX) ?? null,
    activatePolicies: !/^false$/i.test(textOf(element, 'ActivatePolicies') ?? ''),
    options: readOptionValues(context, element, 'scope', where),
  };
  report.carried(child(element, 'State'), `${where} is ${scope.state.toLowerCase()}`);
  report.note(
    child(element, 'Type'),
    kind === undefined ? 'changed' : 'carried',
    `${where} serves ${scope.type} clients`,
  );
  report.carried(child(element, 'SuperScopeName'), scope.superscopeName === null ? 'no superscope' : 'the superscope');
  report.carried(child(element, 'ActivatePolicies'), 'kept, though there are no policies');
  noteRest(context, element);
  report.carried(element, where);
  return scope;
}

function noteRest({ report }: OptionContext, element: Element): void {
  report.wholeNotCarried(child(element, 'Policies'), 'policies of a scope have no equivalent yet', ADVICE_POLICY);
  const isNap = /^true$/i.test(textOf(element, 'NapEnable') ?? '');
  for (const name of ['NapEnable', 'NapProfile'])
    report.note(
      child(element, name),
      isNap ? 'not-carried' : 'carried',
      isNap ? 'Network Access Protection has no equivalent' : 'it is off',
    );
  report.carried(child(element, 'Leases'), 'read by the import of leases, when the file is named a second time');
}

function leaseSec({ report }: OptionContext, element: Element): number | undefined {
  const member = child(element, 'LeaseDuration');
  const seconds = readTimeSpan(member?.text ?? '');
  if (seconds === undefined || seconds < 1) {
    report.notCarried(
      member,
      'the lease time is not understood; it is the default',
      'Set the lease time of the scope.',
    );
    return undefined;
  }
  report.carried(member, seconds === UINT32_MAX ? 'leases have no end' : `leases of ${seconds} s`);
  return seconds;
}

function number({ report }: OptionContext, element: Element, name: string, most: number): number | undefined {
  const member = child(element, name);
  if (member === undefined) return undefined;
  const value = /^\d{1,10}$/.test(member.text) ? Number(member.text) : Number.NaN;
  if (value <= most) {
    report.carried(member, 'as it is');
    return value;
  }
  report.notCarried(member, `it is not a number up to ${most}; it is the default`);
  return undefined;
}

function clientKind(text: string | undefined): ClientKind | undefined {
  return (['Dhcp', 'Bootp', 'Both'] as const).find((kind) => kind.toLowerCase() === text?.toLowerCase());
}

interface Span {
  first: number;
  last: number;
}

/** Exclusions may lie outside the range in Windows, and overlap; here they are parts of it. */
function readExclusions({ report }: OptionContext, element: Element, range: Span): AddressRange[] {
  const list = child(element, 'ExclusionRanges');
  const spans: Span[] = [];
  for (const one of list?.children ?? []) {
    const first = parseIp4(textOf(one, 'StartRange') ?? '');
    const last = parseIp4(textOf(one, 'EndRange') ?? '');
    if (first === undefined || last === undefined || last < first) {
      report.wholeNotCarried(one, 'the exclusion is not understood');
      continue;
    }
    const within = { first: Math.max(first, range.first), last: Math.min(last, range.last) };
    if (within.first > within.last) {
      report.whole(one, {
        carried: 'changed',
        outcome: 'outside the range, where nothing is given out anyway',
        advice: null,
      });
      continue;
    }
    spans.push(within);
    const isWhole = within.first === first && within.last === last;
    report.whole(one, {
      carried: isWhole ? 'carried' : 'changed',
      outcome: isWhole ? 'an exclusion' : 'an exclusion, as far as it is in the range',
      advice: null,
    });
  }
  report.carried(list, 'the exclusions');
  return joined(spans).map(({ first, last }) => ({ start: formatIp4(ip4(first)), end: formatIp4(ip4(last)) }));
}

function joined(spans: Span[]): Span[] {
  const out: Span[] = [];
  for (const span of spans.sort((a, b) => a.first - b.first)) {
    const before = out.at(-1);
    if (before !== undefined && span.first <= before.last) before.last = Math.max(before.last, span.last);
    else out.push({ ...span });
  }
  return out;
}

function readReservations(context: OptionContext, element: Element, scope: Scope, prefixLength: number): Reservation[] {
  const { report } = context;
  const reservations: Reservation[] = [];
  const taken = new Set<string>();
  const first = parseIp4(scope.scopeId) ?? (0 as Ip4);
  const last = first + 2 ** (32 - prefixLength) - 1;
  report.carried(child(element, 'Reservations'), 'the reservations');
  for (const one of listIn(element, 'Reservations')) {
    const address = parseIp4(textOf(one, 'IPAddress') ?? '');
    const octets = readOctets(textOf(one, 'ClientId') ?? '');
    if (address === undefined || octets === undefined || address <= first || address >= last) {
      report.wholeNotCarried(one, 'its address or its client is not understood');
      continue;
    }
    const client: ReservationKey =
      octets.length === HARDWARE_OCTETS
        ? { kind: 'hardware', hex: toHex(octets) }
        : { kind: 'client-id', hex: toHex(octets) };
    const names = [formatIp4(address), `${client.kind} ${client.hex}`];
    if (names.some((name) => taken.has(name))) {
      report.wholeNotCarried(one, 'its address or its client has a reservation in this scope already');
      continue;
    }
    for (const name of names) taken.add(name);
    const where = `reservation ${formatIp4(address)}`;
    reservations.push({
      address: formatIp4(address),
      client,
      name: (textOf(one, 'Name') ?? '').slice(0, NAME_MAX),
      description: (textOf(one, 'Description') ?? '').slice(0, NAME_MAX),
      type: clientKind(textOf(one, 'Type')) ?? 'Both',
      options: readOptionValues(context, one, 'reservation', where),
    });
    report.carried(child(one, 'ScopeId'), where);
    for (const name of ['IPAddress', 'Name', 'Description', 'Type']) report.carried(child(one, name), where);
    report.carried(
      child(one, 'ClientId'),
      client.kind === 'hardware' ? `${where}, for the hardware address` : `${where}, for the client identifier`,
    );
    report.carried(one, where);
  }
  return reservations;
}

function overlapOf(scope: Scope, others: readonly Scope[]): string | undefined {
  const own = spanOf(scope);
  const other = others.find((one) => {
    const span = spanOf(one);
    return own.first <= span.last && span.first <= own.last;
  });
  if (other !== undefined) return `it overlaps ${other.scopeId}`;
  const near = others.find(
    ({ superscopeName: name }) =>
      name !== null && name !== scope.superscopeName && name.toLowerCase() === scope.superscopeName?.toLowerCase(),
  );
  return near === undefined ? undefined : `its superscope differs from "${near.superscopeName}" only by case`;
}

function spanOf({ scopeId, subnetMask }: Scope): Span {
  const first = parseIp4(scopeId) ?? 0;
  return { first, last: first + 2 ** 32 - (parseIp4(subnetMask) ?? 0) - 1 };
}
