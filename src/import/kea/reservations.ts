/** Host reservations (ARM, "Host Reservations in DHCPv4"): an address tied to a client that is named in one of five ways. */
import type { Reservation, ReservationKey } from '../../core/config/model.ts';
import { formatIp4, parseIp4, toHex } from '../../wire/units.ts';
import type { Context } from './context.ts';
import { type Fields, textIn } from './fields.ts';
import { COMMENT, levelValues } from './option-levels.ts';
import { octetsFromHex } from './option-values.ts';

const HOST_NAME = 12;
const NAME_MAX = 255;
const ADVICE_IDENTIFIER = 'Reserve the address by the hardware address or by the whole client identifier (option 61).';

/** The network that a reservation has to be in, both ends excluded. */
export interface Hosts {
  readonly first: number;
  readonly last: number;
}

/** Reads one; `taken` holds what is reserved in the scope already. Undefined for one that has no equivalent, which is reported. */
export function readReservation(
  context: Context,
  fields: Fields,
  hosts: Hosts,
  taken: Set<string>,
): Reservation | undefined {
  const { report } = context;
  report.whole(fields.get('user-context'), COMMENT);
  report.whole(fields.get('comment'), COMMENT);
  const refuse = (why: string, advice: string | null = null): undefined => {
    report.notCarried(fields.get('ip-address') ?? fields.values().next().value, why, advice);
    for (const member of fields.values()) if (!report.has(member)) report.wholeNotCarried(member, why);
    return undefined;
  };
  const key = keyOf(fields);
  if (typeof key === 'string') return refuse(key, ADVICE_IDENTIFIER);
  const text = textIn(fields, 'ip-address') ?? '';
  const address = parseIp4(text);
  if (address === undefined || address === 0)
    return refuse('a reservation without an address has no equivalent', 'Reserve an address for the client.');
  if (address <= hosts.first || address >= hosts.last) return refuse('the address is not one of the network’s hosts');
  const client = `${key.kind} ${key.hex}`;
  if (taken.has(text) || taken.has(client))
    return refuse('the address or the client has a reservation in this network');
  taken.add(text);
  taken.add(client);
  const where = `reservation ${formatIp4(address)}`;
  const values = levelValues(context, fields, where, context.definitions);
  const hostName = textIn(fields, 'hostname') ?? '';
  if (hostName !== '' && !values.has(HOST_NAME)) values.set(HOST_NAME, toHex(new TextEncoder().encode(hostName)));
  report.carried(fields.get('hostname'), `the name and option ${HOST_NAME} of ${where}`);
  for (const one of ['ip-address', 'hw-address', 'client-id', 'circuit-id'])
    report.carried(fields.get(one), `${where}, for the client by its ${key.kind}`);
  report.whole(fields.get('client-classes'), {
    carried: 'not-carried',
    outcome: 'classes of one client have no equivalent',
    advice: 'Give the options of the classes to the reservation.',
  });
  return {
    address: formatIp4(address),
    client: key,
    name: hostName.slice(0, NAME_MAX),
    description: '',
    type: 'Both',
    options: [...values].map(([code, hex]) => ({ code, hex })),
  };
}

function keyOf(fields: Fields): ReservationKey | string {
  const hardware = textIn(fields, 'hw-address');
  if (hardware !== undefined) {
    const octets = octetsFromHex(hardware);
    if (octets.kind === 'bad' || octets.value.length === 0 || octets.value.length > 16)
      return 'the hardware address is not understood';
    return { kind: 'hardware', hex: toHex(octets.value) };
  }
  for (const kind of ['client-id', 'circuit-id'] as const) {
    const text = textIn(fields, kind);
    if (text === undefined) continue;
    const octets = octetsFromHex(text);
    if (octets.kind === 'bad' || octets.value.length === 0 || octets.value.length > 253)
      return `the ${kind} is not understood`;
    return { kind, hex: toHex(octets.value) };
  }
  // RFC 4361 6.1: the identifier of such a client has its IAID in front of the DUID, which Kea's file does not tell.
  if (fields.has('duid')) return 'a DUID alone names no client here: its IAID is not in the file';
  if (fields.has('flex-id')) return 'flexible identifiers have no equivalent';
  return 'no client is named';
}
