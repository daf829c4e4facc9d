/** Hosts with fixed addresses to reservations, with the options of their groups and their own. */

import { reservationKeyText } from '../../core/config/checks.ts';
import type { OptionValue, Reservation, ReservationKey } from '../../core/config/model.ts';
import { formatIp4, type Ip4, toHex } from '../../wire/units.ts';
import { parameter, settle } from './effective.ts';
import { emitOptions, settingsOf } from './emit.ts';
import { chainOf, type Declared, type Host, type Level } from './model.ts';
import { latin1 } from './option-values.ts';
import type { Report } from './report.ts';
import { isWithin, type ScopeDraft, seconds } from './scopes.ts';

const HOST_NAME = 12;
const LEASE_TIME = 51;
const RESERVATIONS_MAX = 65_536;
const NAME_MAX = 255;

/** The reservations of each scope, by its id. */
export function makeReservations(
  declared: Declared,
  drafts: readonly ScopeDraft[],
  report: Report,
): ReadonlyMap<string, readonly Reservation[]> {
  const made = new Map<string, Reservation[]>();
  const claims = new Map<string, Set<string>>();
  for (const host of declared.hosts) {
    const client = clientOf(host, report);
    const places = client === undefined ? [] : placesOf(host, drafts, report);
    let count = 0;
    for (const { draft, address } of places) {
      if (client === undefined) continue;
      const list = made.get(draft.scopeId) ?? [];
      const taken = claims.get(draft.scopeId) ?? new Set<string>();
      made.set(draft.scopeId, list);
      claims.set(draft.scopeId, taken);
      if (!isFree(host, draft, { address, client }, taken, report)) continue;
      if (list.length < RESERVATIONS_MAX) {
        list.push(reservationOf(declared, report, host, { draft, address, client }));
        count++;
      } else report.notCarried(host.statement, `a scope has ${RESERVATIONS_MAX} reservations at most`);
    }
    if (count === 0) noteUnreserved(host, report);
  }
  return made;
}

/** What the statements of a host say is lost with it. */
function noteUnreserved({ hardware, identifier, addresses }: Host, report: Report): void {
  for (const part of [hardware, identifier, ...addresses])
    if (part !== undefined) report.notCarried(part.statement, 'no reservation was made for the host');
}

function clientOf(host: Host, report: Report): ReservationKey | undefined {
  const { hardware, identifier } = host;
  if (hardware !== undefined) {
    const { htype, octets, statement } = hardware;
    report.carried(statement, 'the reservation is for this hardware address');
    if (identifier !== undefined) {
      const outcome = 'the reservation is for the hardware address, whatever identifier the client sends';
      report.changed(identifier.statement, outcome);
    }
    return { kind: 'hardware', hex: toHex(octets), ...(htype === 1 ? {} : { htype }) };
  }
  if (identifier !== undefined) {
    report.carried(identifier.statement, 'the reservation is for this client');
    return { kind: identifier.kind, hex: toHex(identifier.octets) };
  }
  report.wholeNotCarried(
    host.statement,
    'does not say how its client is known',
    'Add its hardware address or client identifier, and import again.',
  );
  return undefined;
}

interface Place {
  readonly draft: ScopeDraft;
  readonly address: Ip4;
}

/** One address in each network: dhcpd takes the first that fits where the client is. */
function placesOf(host: Host, drafts: readonly ScopeDraft[], report: Report): Place[] {
  const places: Place[] = [];
  for (const { address, statement } of host.addresses) {
    const draft = drafts.find(({ subnet }) => address >= subnet.span.first && address <= subnet.span.last);
    const text = formatIp4(address);
    if (draft === undefined) {
      report.notCarried(
        statement,
        `${text} is in no network of the file`,
        'Add the network, then reserve the address.',
      );
    } else if (!isWithin(address, draft.subnet)) {
      report.notCarried(statement, `${text} is not an address that a host can have`);
    } else if (places.some((place) => place.draft === draft)) {
      report.changed(statement, `a client has one reservation in a scope, so ${text} is left out`);
    } else {
      places.push({ draft, address });
      report.carried(statement, `reserved in scope ${draft.scopeId}`);
    }
  }
  if (host.addresses.length === 0) {
    report.notCarried(
      host.statement,
      'a client without a fixed address has no settings of its own here',
      'Reserve an address for it: `twinlease reservation add`.',
    );
  } else if (places.length === 0) report.notCarried(host.statement, 'none of its addresses can be reserved');
  return places;
}

interface Wanted {
  readonly address: Ip4;
  readonly client: ReservationKey;
}

function isFree(
  host: Host,
  draft: ScopeDraft,
  { address, client }: Wanted,
  taken: Set<string>,
  report: Report,
): boolean {
  const texts = [formatIp4(address), reservationKeyText(client)];
  const clash = texts.find((text) => taken.has(text));
  if (clash === undefined) {
    for (const text of texts) taken.add(text);
    return true;
  }
  const outcome = `${clash} is in a reservation of scope ${draft.scopeId} already`;
  report.notCarried(host.statement, outcome, 'Leave one of the two hosts away.');
  return false;
}

function reservationOf(declared: Declared, report: Report, host: Host, place: Place & Wanted): Reservation {
  const { draft, address, client } = place;
  const outer = chainOf(draft.subnet.level);
  // The levels around the network have been executed before; dhcpd stops where the two meet.
  const own = chainOf(host.level).filter((level) => !outer.includes(level));
  const chain = [...outer, ...own];
  const where = `the reservation of ${formatIp4(address)}`;
  report.carried(host.statement, where);
  const options = emitOptions({ declared, report, chain, inner: new Set(own), where });
  notePool(draft, report);
  const bootp = parameter(settle(chain), 'bootp');
  for (const { statement } of bootp?.sources ?? []) report.carried(statement, 'BOOTP clients are served as it says');
  return {
    address: formatIp4(address),
    client,
    name: host.name.slice(0, NAME_MAX),
    description: '',
    type: bootp?.text === 'false' ? 'Dhcp' : 'Both',
    options: [...options, ...leaseOption(chain, own, report, where), ...nameOption(chain, host, options, report)],
  };
}

/** dhcpd does not look at a pool for an address that is fixed; here its settings are the scope's. */
function notePool({ chain, scopeId }: ScopeDraft, report: Report): void {
  for (const level of chain) {
    if (level.kind !== 'pool') continue;
    for (const { statement } of settingsOf(new Set([level])))
      report.changed(statement, `set for the whole of scope ${scopeId}, so its reservations have it too`);
  }
}

/** A lease time of its own is option 51 of the reservation. */
function leaseOption(chain: readonly Level[], own: readonly Level[], report: Report, where: string): OptionValue[] {
  const settled = settle(chain);
  const normal = seconds(settled, 'default-lease-time');
  const most = seconds(settled, 'max-lease-time');
  const isOwn = [normal, most].some((time) =>
    time?.value.sources.some((source) => own.some((level) => level.items.includes(source))),
  );
  if (!isOwn) return [];
  const lease = Math.max(1, Math.min(normal?.sec ?? 43_200, most?.sec ?? 86_400));
  for (const time of [normal, most]) {
    for (const source of time?.value.sources ?? []) {
      if (!own.some((level) => level.items.includes(source))) continue;
      const { statement } = source;
      if (time?.sec === lease) report.carried(statement, `lease time of ${where}: ${lease} s`);
      else report.changed(statement, `${where} has one lease time: ${lease} s`);
    }
  }
  return [{ code: LEASE_TIME, hex: lease.toString(16).padStart(8, '0') }];
}

/** `use-host-decl-names`: the name of the declaration, where no other name is set. */
function nameOption(
  chain: readonly Level[],
  host: Host,
  options: readonly OptionValue[],
  report: Report,
): OptionValue[] {
  const settled = settle(chain);
  const isOn = parameter(settled, 'use-host-decl-names');
  if (isOn === undefined) return [];
  for (const { statement } of isOn.sources)
    report.carried(statement, 'names of reservations as option 12 where it is on');
  const isSet = settled.has(`dhcp:${HOST_NAME}`) || options.some(({ code }) => code === HOST_NAME);
  if (isSet || host.name === '' || !/^(on|true)$/i.test(isOn.text)) return [];
  return [{ code: HOST_NAME, hex: toHex(Uint8Array.from(latin1(host.name))) }];
}
