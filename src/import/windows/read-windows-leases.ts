/**
 * Reads the leases of an export that was made with `-Leases`, as the file comes in. Clients are known in it by one identifier: six octets
 * are a hardware address, whether the client sends it as its identifier or sends none, which the file does not tell. Such a client is
 * taken over by the identifier that is its hardware address with the type in front, and is known by either.
 */

import { type EpochSec, formatIp4, INFINITE_AT, type Ip4, NEVER_AT, parseIp4, toHex } from '../../wire/units.ts';
import { reportLine } from '../fates.ts';
import { boundedName } from '../host-name.ts';
import { lookUp } from '../look-up.ts';
import type { ImportedLease, LeaseRead } from '../plan.ts';
import { type XmlEvent, type XmlRead, XmlReader } from '../xml-reader.ts';
import { HARDWARE_OCTETS, HTYPE_ETHERNET, readInstant, readOctets, readTimeSpan } from './values.ts';

export interface WindowsLeaseSource {
  readonly file: string;
}

/** What is known while the elements go by. */
interface Reading {
  readonly file: string;
  /** Names of the open elements, lower case. */
  readonly path: string[];
  text: string;
  scopeLeaseSec: number | undefined;
  /** The texts of the lease that is open, by name in lower case. */
  lease: Map<string, string> | undefined;
  line: number;
}

export async function* readWindowsLeases(
  chunks: AsyncIterable<string>,
  { file }: WindowsLeaseSource,
): AsyncGenerator<LeaseRead> {
  const reader = new XmlReader();
  const reading: Reading = { file, path: [], text: '', scopeLeaseSec: undefined, lease: undefined, line: 0 };
  let isAny = false;
  for await (const read of readsOf(reader, chunks)) {
    if (read.kind === 'bad') {
      yield told(file, read.line, '', `the file is not understood from here on: ${read.why}`);
      return;
    }
    for (const event of read.events) {
      const found = step(reading, event);
      if (found === undefined) continue;
      isAny = true;
      yield found;
    }
  }
  if (!isAny) yield told(file, 0, '', 'the export has no leases: it was made without -Leases');
}

async function* readsOf(reader: XmlReader, chunks: AsyncIterable<string>): AsyncGenerator<XmlRead> {
  let isStart = true;
  for await (const chunk of chunks) {
    yield reader.feed(isStart ? chunk.replace(/^\uFEFF/, '') : chunk);
    isStart &&= chunk === '';
  }
  yield reader.end();
}

const LEASE_PATH = 'scope/leases/lease';
const LEASE_FIELDS_MAX = 64;

function step(reading: Reading, event: XmlEvent): LeaseRead | undefined {
  const { path } = reading;
  if (event.kind === 'text') {
    reading.text += event.text;
    return undefined;
  }
  if (event.kind === 'open') {
    path.push(event.name.local.toLowerCase());
    reading.text = '';
    if (path.at(-1) === 'scope') reading.scopeLeaseSec = undefined;
    if (path.includes('ipv4') && path.slice(-3).join('/') === LEASE_PATH) {
      reading.lease = new Map();
      reading.line = event.line;
    }
    return undefined;
  }
  const name = path.at(-1) ?? '';
  const outer = path.slice(-4, -1).join('/');
  if (reading.lease !== undefined && outer === LEASE_PATH) {
    if (reading.lease.size < LEASE_FIELDS_MAX) reading.lease.set(name, reading.text.trim());
  } else if (name === 'leaseduration' && path.at(-2) === 'scope')
    reading.scopeLeaseSec = readTimeSpan(reading.text.trim());
  const isLease = reading.lease !== undefined && path.slice(-3).join('/') === LEASE_PATH;
  path.pop();
  reading.text = '';
  if (!isLease) return undefined;
  const found = leaseOf(reading, reading.lease ?? new Map());
  reading.lease = undefined;
  return found;
}

const ACTIVE: ReadonlySet<string> = new Set(['active', 'activereservation']);
const INACTIVE: Readonly<Record<string, string>> = {
  offered: 'the address was only offered',
  expired: 'the lease is over',
  inactivereservation: 'the reservation has no lease',
};

function leaseOf({ file, line, scopeLeaseSec }: Reading, fields: ReadonlyMap<string, string>): LeaseRead {
  const field = (name: string): string => fields.get(name) ?? '';
  const address = parseIp4(field('ipaddress'));
  const state = field('addressstate').toLowerCase();
  const refuse = (why: string): LeaseRead => told(file, line, `${field('ipaddress')} ${field('addressstate')}`, why);
  if (address === undefined) return refuse('the lease has no address');
  const isDeclined = state === 'declined';
  if (!isDeclined && !ACTIVE.has(state))
    return refuse(lookUp(INACTIVE, state) ?? 'the state of the lease is not known');
  const octets = readOctets(field('clientid'));
  if (octets === undefined && !isDeclined) return refuse('the lease names no client');
  const expiry = field('leaseexpirytime');
  const instants = expiry === '' ? undefined : readInstant(expiry);
  if (expiry !== '' && instants === undefined) return refuse('the end of the lease is not understood');
  if (instants === undefined && state === 'activereservation')
    return refuse('the lease has no end in the file; the client keeps its reserved address anyway');
  const isTimed = instants !== undefined && scopeLeaseSec !== undefined;
  const lease: ImportedLease = {
    address: formatIp4(address as Ip4),
    state: isDeclined ? 'declined' : 'active',
    ...(isDeclined || octets === undefined ? NOBODY : clientOf(octets)),
    htype: HTYPE_ETHERNET,
    hostName: isDeclined ? '' : boundedName(field('hostname').replace(/\.$/, '')),
    startAt: (isTimed ? Math.max(instants.earliest - scopeLeaseSec, 0) : NEVER_AT) as EpochSec,
    endAt: (instants?.latest ?? INFINITE_AT) as EpochSec,
  };
  return { kind: 'lease', lease };
}

const NOBODY = { clientIdHex: null, hardwareHex: '' } as const;

function clientOf(octets: Uint8Array): Pick<ImportedLease, 'clientIdHex' | 'hardwareHex'> {
  const hex = toHex(octets);
  if (octets.length === HARDWARE_OCTETS) return { clientIdHex: `0${HTYPE_ETHERNET}${hex}`, hardwareHex: hex };
  // RFC 2132 9.14
  const isHardware = octets.length === HARDWARE_OCTETS + 1 && octets[0] === HTYPE_ETHERNET;
  return { clientIdHex: hex, hardwareHex: isHardware ? hex.slice(2) : '' };
}

function told(file: string, line: number, statement: string, outcome: string): LeaseRead {
  return {
    kind: 'report',
    line: reportLine({ file, line }, statement, { carried: 'not-carried', outcome, advice: null }),
  };
}
