/**
 * Networks to scopes. A scope has one range, so all addresses of a network's pools become one range with exclusions for the gaps;
 * what pools keep apart (who may have an address, other options, other lease times) is said in the report.
 */
import type { AddressRange, OptionValue, Scope } from '../../core/config/model.ts';
import { formatIp4, type Ip4, ip4, prefixLengthOf } from '../../wire/units.ts';
import { type Effective, parameter, type Settled, settle } from './effective.ts';
import { type Emission, emitOptions, settingsOf } from './emit.ts';
import {
  chainOf,
  type Declared,
  type Level,
  type Pool,
  type RangeDeclaration,
  type Span,
  type Subnet,
} from './model.ts';
import { numberIn } from './option-values.ts';
import type { Report } from './report.ts';

/** A scope in the making, with what it was made from. */
export interface ScopeDraft {
  readonly subnet: Subnet;
  readonly scopeId: string;
  readonly superscopeName: string | null;
  /** Pools that give it addresses. */
  readonly pools: readonly Pool[];
  /** Outermost first, with the level of the one pool where there is one only. */
  readonly chain: readonly Level[];
  readonly peer: string | undefined;
  readonly scope: Omit<Scope, 'reservations'>;
}

const PREFIX_LENGTH_MAX = 30;
const EXCLUSIONS_MAX = 4096;
/** dhcpd.conf(5): what holds where a file says nothing. */
const DEFAULT_LEASE_SEC = 43_200;
const MAX_LEASE_SEC = 86_400;
const INFINITE = 0xffffffff;
/** A client may ask for a shorter lease, down to this. */
const LEASE_ASKED_SEC_MIN = 60;

export function draftScopes(declared: Declared, report: Report): ScopeDraft[] {
  const names = superscopeNames(declared, report);
  const kept = distinctSubnets(declared, report);
  const pools = poolsBySubnet(declared, kept, report);
  return kept.map((subnet) => draftScope(declared, report, subnet, pools.get(subnet) ?? [], names));
}

/** Networks that can be scopes and do not overlap. */
function distinctSubnets(declared: Declared, report: Report): Subnet[] {
  const kept: Subnet[] = [];
  for (const subnet of declared.subnets) {
    const { statement, span } = subnet;
    const other = kept.find((one) => one.span.first <= span.last && span.first <= one.span.last);
    if ((prefixLengthOf(subnet.mask) ?? 0) > PREFIX_LENGTH_MAX || prefixLengthOf(subnet.mask) === 0) {
      report.wholeNotCarried(
        statement,
        'a network of this size cannot be a scope',
        'Serve it with another network, /1 to /30.',
      );
    } else if (isUnusable(span)) {
      report.wholeNotCarried(statement, 'hosts of this network are not served', 'Remove the network.');
    } else if (other !== undefined) {
      report.wholeNotCarried(
        statement,
        `overlaps the network of line ${other.statement.line}`,
        'Leave one of the two away.',
      );
    } else kept.push(subnet);
  }
  return kept;
}

/** Loopback, link-local, multicast, reserved and "this network" (RFC 6890). */
function isUnusable({ first, last }: Span): boolean {
  return UNUSABLE.some((span) => first <= span.last && span.first <= last);
}

const UNUSABLE: readonly Span[] = [
  { first: 0, last: 0x00ffffff },
  { first: 0x7f000000, last: 0x7fffffff },
  { first: 0xa9fe0000, last: 0xa9feffff },
  { first: 0xe0000000, last: 0xffffffff },
];

/** A superscope's name is the same in any case, a shared network's is not. */
function superscopeNames(declared: Declared, report: Report): ReadonlyMap<Level, string> {
  const names = new Map<Level, string>();
  const taken = new Set<string>();
  for (const { level } of declared.subnets) {
    const shared = sharedNetworkOf(level);
    if (shared === undefined || names.has(shared)) continue;
    const wanted = shared.name.slice(0, SUPERSCOPE_NAME_MAX);
    const base = wanted === '' ? 'shared network' : wanted;
    let name = base;
    for (let n = 2; taken.has(name.toLowerCase()); n++) name = `${base} (${n})`;
    taken.add(name.toLowerCase());
    names.set(shared, name);
    if (name !== shared.name && shared.statement !== undefined)
      report.changed(shared.statement, `its networks are the superscope ${name}`);
  }
  return names;
}

const SUPERSCOPE_NAME_MAX = 200;

function sharedNetworkOf(level: Level): Level | undefined {
  return chainOf(level).find((one) => one.kind === 'shared-network');
}

/** A range of a shared network's pool belongs to the network that holds it. */
function poolsBySubnet(declared: Declared, subnets: readonly Subnet[], report: Report): ReadonlyMap<Subnet, Pool[]> {
  const found = new Map<Subnet, Pool[]>();
  for (const pool of declared.pools) {
    const parts = new Map<Subnet, RangeDeclaration[]>();
    for (const range of pool.ranges) {
      const home = subnets.find(({ span }) => range.first >= span.first && range.last <= span.last);
      const isNear =
        home !== undefined && (chainOf(pool.level).includes(home.level) || isSharedWith(pool.level, home.level));
      if (home === undefined || !isNear)
        report.notCarried(range.statement, 'is not within a network that was carried over');
      else parts.set(home, [...(parts.get(home) ?? []), range]);
    }
    for (const [subnet, ranges] of parts) {
      found.set(subnet, [...(found.get(subnet) ?? []), { level: pool.level, ranges, permits: pool.permits }]);
    }
    if (pool.ranges.length === 0) for (const permit of pool.permits) report.notCarried(permit, 'the pool has no range');
  }
  return found;
}

function isSharedWith(pool: Level, subnet: Level): boolean {
  const shared = sharedNetworkOf(pool);
  return shared !== undefined && shared === sharedNetworkOf(subnet);
}

function draftScope(
  declared: Declared,
  report: Report,
  subnet: Subnet,
  pools: readonly Pool[],
  names: ReadonlyMap<Level, string>,
): ScopeDraft {
  const { statement, level } = subnet;
  const scopeId = formatIp4(subnet.network);
  const prefixLength = prefixLengthOf(subnet.mask) ?? 0;
  const peer = peerOf(pools, report);
  const served = pools.filter((pool) => peer === undefined || pool.level.peer?.name === peer);
  for (const pool of pools) if (!served.includes(pool)) notServed(report, pool, scopeId, peer ?? '');
  const spans = clippedSpans(subnet, served, report);
  const [only] = served;
  const chain = served.length === 1 && only !== undefined ? chainThrough(subnet, only) : chainOf(level);
  const shared = sharedNetworkOf(level);
  const superscopeName = shared === undefined ? null : (names.get(shared) ?? null);
  const shape = { declared, report, chain, scopeId, pools: served, subnet };
  const range = rangeOf(subnet, spans, report);
  report.carried(statement, `scope ${scopeId}`);
  for (const pool of served) notePermits(report, pool, scopeId);
  return {
    subnet,
    scopeId,
    superscopeName,
    pools: served,
    chain,
    peer,
    scope: {
      scopeId,
      subnetMask: formatIp4(subnet.mask),
      name: `${scopeId}/${prefixLength}`,
      description: '',
      ...range,
      state: 'Active',
      type: servesBootp(shape) ? 'Both' : 'Dhcp',
      leaseDurationSec: leaseTime(shape),
      delayMs: 0,
      maxBootpClients: INFINITE,
      superscopeName,
      activatePolicies: true,
      options: scopeOptions(shape),
    },
  };
}

/** The levels around an address: those of its network, and the pool's own. */
function chainThrough(subnet: Subnet, pool: Pool): readonly Level[] {
  return pool.level === subnet.level ? chainOf(subnet.level) : [...chainOf(subnet.level), pool.level];
}

/** A scope is in one relationship at most: the first that a pool names. */
function peerOf(pools: readonly Pool[], report: Report): string | undefined {
  const named = pools.find((pool) => pool.level.peer !== undefined)?.level.peer;
  if (named === undefined) return undefined;
  for (const { level } of pools) {
    if (level.peer === undefined) continue;
    if (level.peer.name === named.name)
      report.carried(level.peer.statement, `the scope is in the relationship ${named.name}`);
    else
      report.notCarried(
        level.peer.statement,
        `another pool of the network names ${named.name}, and a scope is in one relationship only`,
        'Give the addresses a network of their own, or share them with one partner.',
      );
  }
  return named.name;
}

function notServed(report: Report, pool: Pool, scopeId: string, peer: string): void {
  for (const { statement } of pool.ranges)
    report.notCarried(
      statement,
      `the other addresses of ${scopeId} are shared with ${peer}, which does not know these; they are left out`,
      'Let the partner have them in its pool too, then take the exclusion away: `twinlease exclusion remove`.',
    );
  for (const permit of pool.permits) report.notCarried(permit, 'the addresses of the pool are left out');
}

function notePermits(report: Report, pool: Pool, scopeId: string): void {
  const hasBootp = pool.ranges.some((range) => range.isBootp);
  for (const permit of pool.permits) {
    const text = permit.tokens.map((token) => token.text.toLowerCase()).join(' ');
    if (ALLOWS_ALL.test(text) || (text === 'deny dynamic bootp clients' && !hasBootp)) {
      report.carried(permit, 'as it is here anyway');
      continue;
    }
    report.notCarried(
      permit,
      `every client of ${scopeId} may have the addresses of this pool`,
      'Exclude the addresses (`twinlease exclusion add`) if others must not have them.',
    );
  }
}

const ALLOWS_ALL = /^(allow (all clients|unauthenticated clients)|deny authenticated clients)$/;

/** The ranges, joined where they touch or overlap, without network and broadcast address. */
function clippedSpans(subnet: Subnet, pools: readonly Pool[], report: Report): Span[] {
  const least = subnet.span.first + 1;
  const most = subnet.span.last - 1;
  const spans: Span[] = [];
  for (const range of pools.flatMap((pool) => pool.ranges)) {
    const first = Math.max(range.first, least);
    const last = Math.min(range.last, most);
    if (first > last) {
      report.notCarried(range.statement, 'holds no address that a host can have');
      continue;
    }
    if (first !== range.first || last !== range.last)
      report.changed(range.statement, 'without the network address and the broadcast address');
    else report.carried(range.statement, `in the range of scope ${formatIp4(subnet.network)}`);
    spans.push({ first, last });
  }
  spans.sort((a, b) => a.first - b.first);
  const joined: Span[] = [];
  for (const span of spans) {
    const before = joined.at(-1);
    if (before === undefined || span.first > before.last + 1) joined.push(span);
    else joined[joined.length - 1] = { first: before.first, last: Math.max(before.last, span.last) };
  }
  return joined;
}

function rangeOf(
  subnet: Subnet,
  spans: readonly Span[],
  report: Report,
): { readonly startRange: string; readonly endRange: string; readonly exclusions: readonly AddressRange[] } {
  const text = (address: number): string => formatIp4(ip4(address));
  const [first, last] = [spans[0], spans.at(-1)];
  if (first === undefined || last === undefined) {
    const startRange = text(subnet.span.first + 1);
    const endRange = text(subnet.span.last - 1);
    report.changed(
      subnet.statement,
      `scope ${formatIp4(subnet.network)}, whose whole range is excluded because the network has none`,
    );
    return { startRange, endRange, exclusions: [{ start: startRange, end: endRange }] };
  }
  const exclusions: AddressRange[] = [];
  for (let i = 1; i < spans.length; i++)
    exclusions.push({ start: text(spans[i - 1]!.last + 1), end: text(spans[i]!.first - 1) });
  if (exclusions.length <= EXCLUSIONS_MAX)
    return { startRange: text(first.first), endRange: text(last.last), exclusions };
  const kept = spans[EXCLUSIONS_MAX]!;
  const outcome = `only the first ${EXCLUSIONS_MAX + 1} ranges of scope ${formatIp4(subnet.network)} are kept`;
  report.notCarried(subnet.statement, outcome, 'Join ranges of the network, and import again.');
  return { startRange: text(first.first), endRange: text(kept.last), exclusions: exclusions.slice(0, EXCLUSIONS_MAX) };
}

interface Shape {
  readonly declared: Declared;
  readonly report: Report;
  readonly chain: readonly Level[];
  readonly scopeId: string;
  readonly pools: readonly Pool[];
  readonly subnet: Subnet;
}

function emissionOf(shape: Shape): Emission {
  const inner = new Set(shape.chain.filter((level) => level.kind !== 'global'));
  return { ...shape, inner, where: `scope ${shape.scopeId}` };
}

/** With several pools, what they set themselves has no place. */
function scopeOptions(shape: Shape): OptionValue[] {
  const values = emitOptions(emissionOf(shape));
  if (shape.pools.length > 1) {
    for (const { level } of shape.pools) {
      if (level === shape.subnet.level) continue;
      const settings = [
        ...settingsOf(new Set([level])),
        ...level.items.flatMap((item) => (item.kind === 'branch' ? item.settings : [])),
      ];
      for (const { statement } of settings)
        shape.report.notCarried(
          statement,
          `${shape.scopeId} has several pools, and a scope has one set of options and lease times`,
          'Set it for the scope or for reservations: `twinlease option set`, `twinlease scope set`.',
        );
    }
  }
  return values;
}

/** BOOTP clients get a dynamic address only from ranges marked for them. */
function servesBootp({ pools, report, scopeId, chain }: Shape): boolean {
  const ranges = pools.flatMap((pool) => pool.ranges);
  const marked = ranges.filter((range) => range.isBootp);
  const bootp = parameter(settle(chain), 'bootp');
  for (const { statement } of bootp?.sources ?? [])
    report.carried(
      statement,
      bootp?.text === 'false'
        ? 'BOOTP clients are not served'
        : 'BOOTP clients are served where a range or a reservation is for them',
    );
  if (marked.length === 0) return false;
  if (bootp?.text === 'false') {
    for (const { statement } of marked)
      report.changed(statement, 'BOOTP is denied, so the range is for DHCP clients only');
    return false;
  }
  if (marked.length < ranges.length)
    for (const { statement } of marked)
      report.changed(statement, `BOOTP clients may have any address of scope ${scopeId}, not only those of this range`);
  return true;
}

/** The lease time: what a client gets that asks for nothing, as far as the largest allows. */
function leaseTime({ chain, report, scopeId }: Shape): number {
  const settled = settle(chain);
  const normal = seconds(settled, 'default-lease-time');
  const most = seconds(settled, 'max-lease-time');
  const least = seconds(settled, 'min-lease-time');
  const wanted = normal?.sec ?? DEFAULT_LEASE_SEC;
  const cap = most?.sec ?? MAX_LEASE_SEC;
  const lease = Math.max(1, Math.min(wanted, cap));
  if (normal !== undefined) {
    const outcome = `lease time of scope ${scopeId}: ${lease} s`;
    // dhcpd counts in signed numbers: it tells its clients the time until January 2038.
    if (lease === INFINITE)
      note(normal.value, (statement) => report.changed(statement, `leases of scope ${scopeId} have no end`));
    else if (normal.sec === lease) note(normal.value, (statement) => report.carried(statement, outcome));
    else note(normal.value, (statement) => report.changed(statement, `${outcome}, the largest that is allowed`));
  }
  if (most !== undefined) {
    if (most.sec === lease)
      note(most.value, (statement) => report.carried(statement, `lease time of scope ${scopeId}`));
    else
      note(most.value, (statement) =>
        report.changed(
          statement,
          `scope ${scopeId} has one lease time, so a client that asks for more gets ${lease} s`,
          'Where clients ask for longer leases, lengthen it: `twinlease scope set --lease-duration`.',
        ),
      );
  }
  if (least !== undefined)
    note(least.value, (statement) => {
      if (least.sec <= LEASE_ASKED_SEC_MIN)
        report.carried(statement, `a client may ask for ${LEASE_ASKED_SEC_MIN} s at least`);
      else report.notCarried(statement, `a client may ask for a lease of ${LEASE_ASKED_SEC_MIN} s`);
    });
  return lease;
}

function note(value: Effective, say: (statement: Effective['sources'][number]['statement']) => void): void {
  for (const { statement } of value.sources) say(statement);
}

/** A number of seconds; -1 and `infinite` have no end. */
export function seconds(
  settled: Settled,
  name: string,
): { readonly sec: number; readonly value: Effective } | undefined {
  const value = parameter(settled, name);
  if (value === undefined) return undefined;
  const number = value.text === 'infinite' ? -1 : numberIn(value.text);
  if (number === undefined || number > INFINITE) return undefined;
  return { sec: number < 0 ? INFINITE : number, value };
}

export function isWithin(address: Ip4, { span }: Subnet): boolean {
  return address > span.first && address < span.last;
}
