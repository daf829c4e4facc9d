/**
 * Networks of Kea become scopes: the pools of a network are one range here with exclusions between them, and a shared network is
 * a superscope whose settings each of its scopes has for itself.
 */
import { checkScope } from '../../core/config/checks.ts';
import { defaultScope } from '../../core/config/defaults.ts';
import type { AddressRange, Reservation, Scope } from '../../core/config/model.ts';
import { formatIp4, type Ip4, ip4, maskOf, parseIp4 } from '../../wire/units.ts';
import type { Context } from './context.ts';
import { booleanIn, type Fields, fieldsOf, numberIn, objectsIn, textIn, textsIn } from './fields.ts';
import type { Member } from './json.ts';
import { COMMENT, levelValues } from './option-levels.ts';
import { noteParameters } from './parameters.ts';
import { readReservation } from './reservations.ts';

/** Kea's own default of `valid-lifetime`. */
const VALID_LIFETIME_DEFAULT_SEC = 7200;
const NAME_MAX = 255;
const ADVICE_CLASS =
  'Scopes serve every client here: give the clients of the class reservations, or a network of their own.';

interface Span {
  first: number;
  last: number;
}

export interface ScopeRead {
  readonly scope: Scope;
  /** For reservations that are added later: addresses and clients that have one. */
  readonly taken: Set<string>;
}

/** All networks, those of shared networks after the others, as scopes. */
export function readScopes(context: Context): ScopeRead[] {
  const { global, report } = context;
  const scopes: ScopeRead[] = [];
  const add = (list: Member | undefined, shared: Fields | undefined): void => {
    if (list !== undefined && list.value.kind !== 'array') report.wholeNotCarried(list, 'it is not a list');
    else report.carried(list, 'the networks');
    for (const fields of objectsIn(list)) {
      const read = readScope(context, fields, shared, scopes);
      if (read !== undefined) scopes.push(read);
    }
  };
  add(global.get('subnet4'), undefined);
  const networks = global.get('shared-networks');
  if (networks !== undefined && networks.value.kind !== 'array') report.wholeNotCarried(networks, 'it is not a list');
  else report.carried(networks, 'superscopes');
  for (const shared of objectsIn(networks)) {
    const name = textIn(shared, 'name');
    report.note(
      shared.get('name'),
      name !== undefined && name.length > NAME_MAX ? 'changed' : 'carried',
      'the name of the superscope',
    );
    noteParameters(context, shared, 'network');
    noteRelay(context, shared, objectsIn(shared.get('subnet4')));
    noteGuards(context, shared, 'the scopes of the shared network are inactive');
    add(shared.get('subnet4'), shared);
  }
  return scopes;
}

function readScope(
  context: Context,
  fields: Fields,
  shared: Fields | undefined,
  others: readonly ScopeRead[],
): ScopeRead | undefined {
  const { report, global } = context;
  const network = networkOf(textIn(fields, 'subnet') ?? '');
  const why = typeof network === 'string' ? network : overlapOf(network, others);
  if (typeof network === 'string' || why !== undefined) {
    for (const member of fields.values()) report.wholeNotCarried(member, `the network is not carried over: ${why}`);
    return undefined;
  }
  const scopeId = formatIp4(network.first as Ip4);
  const where = `scope ${scopeId}`;
  report.carried(fields.get('subnet'), where);
  const values = new Map([
    ...levelValues(context, shared ?? new Map(), where, context.definitions),
    ...levelValues(context, fields, where, context.definitions),
  ]);
  const range = rangeOf(context, fields, network, where);
  const taken = new Set<string>();
  const reservations: Reservation[] = [];
  report.carried(fields.get('reservations'), `reservations of ${where}`);
  for (const one of objectsIn(fields.get('reservations'))) {
    const reservation = readReservation(context, one, network, taken);
    if (reservation !== undefined) reservations.push(reservation);
  }
  const name = nameOf(context, fields, where) ?? textIn(fields, 'subnet') ?? scopeId;
  noteParameters(context, fields, 'network');
  noteRelay(context, fields, [fields, ...objectsIn(shared?.get('subnet4'))]);
  const isGuarded = noteGuards(context, fields, `${where} is inactive`) || hasGuard(shared);
  const superscopeName = textIn(shared ?? new Map(), 'name')?.slice(0, NAME_MAX);
  const scope = defaultScope({
    scopeId,
    subnetMask: formatIp4(maskOf(network.prefixLength)),
    name,
    ...range,
    reservations,
    state: isGuarded ? 'Inactive' : 'Active',
    leaseDurationSec: leaseSecOf([fields, shared, global]),
    superscopeName: superscopeName === undefined || superscopeName === '' ? null : superscopeName,
    options: [...values].map(([code, hex]) => ({ code, hex })),
  });
  return { scope, taken };
}

interface Network extends Span {
  readonly prefixLength: number;
}

function networkOf(text: string): Network | string {
  const span = prefixSpan(text);
  if (span === undefined) return 'it is not understood';
  const { start, end } = rangeText({ first: span.first + 1, last: span.last - 1 });
  const scopeId = formatIp4(ip4(span.first));
  const subnetMask = formatIp4(maskOf(span.prefixLength));
  const [fault] = checkScope(defaultScope({ scopeId, subnetMask, name: '', startRange: start, endRange: end }));
  return fault === undefined ? span : `it ${fault.what}`;
}

function prefixSpan(text: string): Network | undefined {
  const found = /^\s*([\d.]+)\s*\/\s*(\d{1,2})\s*$/.exec(text);
  const address = parseIp4(found?.[1] ?? '');
  const prefixLength = Number(found?.[2]);
  if (address === undefined || !(prefixLength >= 0 && prefixLength <= 32)) return undefined;
  const first = prefixLength === 0 ? 0 : ip4(address & maskOf(prefixLength));
  return { first, last: first + 2 ** (32 - prefixLength) - 1, prefixLength };
}

function overlapOf(network: Network, others: readonly ScopeRead[]): string | undefined {
  for (const { scope } of others) {
    const other = networkOf(`${scope.scopeId}/${maskLength(scope.subnetMask)}`);
    if (typeof other !== 'string' && network.first <= other.last && other.first <= network.last)
      return `it overlaps ${scope.scopeId}`;
  }
  return undefined;
}

function maskLength(mask: string): number {
  const bits = parseIp4(mask) ?? 0;
  return 32 - Math.log2(2 ** 32 - bits);
}

type ScopeRange = Pick<Scope, 'startRange' | 'endRange' | 'exclusions'>;

/** One range over all pools, with exclusions where no pool is. */
function rangeOf(context: Context, fields: Fields, network: Network, where: string): ScopeRange {
  const { report } = context;
  const hosts: Span = { first: network.first + 1, last: network.last - 1 };
  const list = fields.get('pools');
  if (list !== undefined && list.value.kind !== 'array') report.wholeNotCarried(list, 'it is not a list');
  else report.carried(list, `the range of ${where}`);
  const spans = objectsIn(list)
    .map((pool) => readPool(context, pool, hosts, where))
    .filter((span) => span !== undefined)
    .sort((a, b) => a.first - b.first);
  const joined: Span[] = [];
  for (const span of spans) {
    const before = joined.at(-1);
    if (before !== undefined && span.first <= before.last + 1) before.last = Math.max(before.last, span.last);
    else joined.push({ ...span });
  }
  const exclusions: AddressRange[] = [];
  for (let i = 1; i < joined.length; i++)
    exclusions.push(rangeText({ first: joined[i - 1]!.last + 1, last: joined[i]!.first - 1 }));
  const [first, last] = [joined[0], joined.at(-1)];
  if (first !== undefined && last !== undefined) {
    const { start, end } = rangeText({ first: first.first, last: last.last });
    return { startRange: start, endRange: end, exclusions };
  }
  // A scope has a range; where Kea has no pool, nothing of it is given out.
  const whole = rangeText(hosts);
  report.changed(fields.get('subnet'), `${where}, with all its addresses excluded because the network has no pool`);
  return { startRange: whole.start, endRange: whole.end, exclusions: [whole] };
}

function rangeText({ first, last }: Span): AddressRange {
  return { start: formatIp4(ip4(first)), end: formatIp4(ip4(last)) };
}

function readPool(context: Context, pool: Fields, hosts: Span, where: string): Span | undefined {
  const { report } = context;
  const member = pool.get('pool');
  report.whole(pool.get('user-context'), COMMENT);
  report.whole(pool.get('comment'), COMMENT);
  const guard = textIn(pool, 'client-class');
  report.wholeNotCarried(
    pool.get('option-data'),
    'options of a pool have no equivalent',
    'Give them to the scope, or make reservations with them.',
  );
  report.wholeNotCarried(pool.get('require-client-classes'), 'classes have no part in the choice of addresses');
  const span = poolSpan(textIn(pool, 'pool') ?? '');
  if (span === undefined || span.last < hosts.first || span.first > hosts.last) {
    report.notCarried(member, 'the pool is not understood or lies outside the network');
    return undefined;
  }
  if (guard !== undefined && guard !== '') {
    const outcome = `its addresses are excluded from ${where}: a part of a range cannot be kept for the class "${guard}"`;
    report.notCarried(member, outcome, ADVICE_CLASS);
    report.notCarried(pool.get('client-class'), outcome, null);
    return undefined;
  }
  report.carried(pool.get('client-class'), 'it is empty');
  const trimmed = { first: Math.max(span.first, hosts.first), last: Math.min(span.last, hosts.last) };
  const isWhole = trimmed.first === span.first && trimmed.last === span.last;
  const { start, end } = rangeText(trimmed);
  report.note(
    member,
    isWhole ? 'carried' : 'changed',
    `${start} to ${end} of ${where}${isWhole ? '' : '; network and broadcast address are not given out'}`,
  );
  return trimmed;
}

function poolSpan(text: string): Span | undefined {
  const prefix = prefixSpan(text);
  if (prefix !== undefined) return { first: prefix.first, last: prefix.last };
  const [from, to, more] = text.split('-').map((part) => parseIp4(part.trim()));
  if (from === undefined || to === undefined || more !== undefined || to < from) return undefined;
  return { first: from, last: to };
}

function leaseSecOf(levels: readonly (Fields | undefined)[]): number {
  for (const level of levels) {
    const seconds = level === undefined ? undefined : numberIn(level, 'valid-lifetime');
    if (seconds !== undefined && seconds > 0) return Math.min(seconds, 0xffffffff);
  }
  return VALID_LIFETIME_DEFAULT_SEC;
}

/** The remark of a network is what people know it by. */
function nameOf({ report }: Context, fields: Fields, where: string): string | undefined {
  const inner = fieldsOf(fields.get('user-context')?.value);
  const sources: (readonly [Fields, string])[] = [
    [fields, 'comment'],
    [inner, 'name'],
    [inner, 'comment'],
  ];
  const source = sources.find(([from, key]) => (textIn(from, key) ?? '') !== '');
  const used = source?.[0].get(source[1]);
  report.carried(used, `the name of ${where}`);
  const outer = fields.get('user-context');
  if (source?.[0] === inner) report.changed(outer, `its "${source[1]}" is the name of ${where}`);
  for (const member of [fields.get('comment'), outer, ...inner.values()])
    if (member !== undefined && !report.has(member)) report.whole(member, COMMENT);
  return source === undefined ? undefined : textIn(...source)?.slice(0, NAME_MAX);
}

function hasGuard(fields: Fields | undefined): boolean {
  return fields !== undefined && (textIn(fields, 'client-class') ?? '') !== '';
}

/** A network kept for a class must not be opened to everybody; the operator decides. */
function noteGuards({ report }: Context, fields: Fields, outcome: string): boolean {
  const isGuarded = hasGuard(fields);
  if (isGuarded)
    report.notCarried(fields.get('client-class'), `a network cannot be kept for a class: ${outcome}`, ADVICE_CLASS);
  else report.carried(fields.get('client-class'), 'it is empty');
  return isGuarded;
}

/** A relay is known by its address being in one of the networks of the link. */
function noteRelay({ report }: Context, fields: Fields, networks: readonly Fields[]): void {
  const member = fields.get('relay');
  if (member === undefined) return;
  const relay = fieldsOf(member.value);
  const addresses = [...textsIn(relay, 'ip-addresses'), ...(textIn(relay, 'ip-address') ?? '').split(' ')]
    .filter((text) => text !== '' && text !== '0.0.0.0')
    .map(parseIp4);
  const spans = networks.map((one) => prefixSpan(textIn(one, 'subnet') ?? ''));
  const isInside = (address: Ip4 | undefined): boolean =>
    address !== undefined && spans.some((span) => span !== undefined && address >= span.first && address <= span.last);
  if (addresses.every(isInside)) {
    report.whole(member, {
      carried: 'carried',
      outcome: 'the address of the relay is in the network, by which the scope is found',
      advice: null,
    });
    return;
  }
  report.wholeNotCarried(
    member,
    'a relay whose address is outside the network does not lead to the scope',
    'Make a scope for the network of the relay’s address in the same superscope, or let the relay send link selection (RFC 3527).',
  );
}

/** Global reservations that have an address go to the scope that holds it. */
export function addGlobalReservations(context: Context, scopes: ScopeRead[]): void {
  const { global, report } = context;
  const list = global.get('reservations');
  const networks = [...objectsIn(global.get('subnet4')), ...objectsIn(global.get('shared-networks'))];
  const mode = (fields: Fields): boolean =>
    booleanIn(fields, 'reservations-global') === true || textIn(fields, 'reservation-mode') === 'global';
  if (list === undefined) return;
  if (![global, ...networks].some(mode)) {
    report.wholeNotCarried(list, 'Kea does not look at them: "reservations-global" is off');
    return;
  }
  report.changed(list, 'each goes to the scope that holds its address');
  for (const fields of objectsIn(list)) {
    const address = parseIp4(textIn(fields, 'ip-address') ?? '');
    const at = scopes.findIndex(({ scope }) => address !== undefined && isIn(scope, address));
    const place = scopes[at];
    const span = place === undefined ? { first: 0, last: 0 } : hostsOf(place.scope);
    const reservation = readReservation(context, fields, span, place?.taken ?? new Set());
    if (place === undefined || reservation === undefined) continue;
    scopes[at] = { ...place, scope: { ...place.scope, reservations: [...place.scope.reservations, reservation] } };
  }
}

function hostsOf(scope: Scope): Span {
  const first = parseIp4(scope.scopeId) ?? 0;
  return { first, last: first + 2 ** (32 - maskLength(scope.subnetMask)) - 1 };
}

function isIn(scope: Scope, address: Ip4): boolean {
  const { first, last } = hostsOf(scope);
  return address >= first && address <= last;
}
