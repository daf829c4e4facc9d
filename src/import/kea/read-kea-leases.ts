/**
 * Reads Kea's lease file for DHCPv4 (`kea-leases4.csv`, memfile backend). It is a journal: every change of a lease is a row, and the
 * last row of an address holds, so nothing is told before the end. Columns are found by the names in the first row, because their
 * number has grown over the versions.
 */
import { type EpochSec, formatIp4, fromHex, type Ip4, parseIp4, toHex } from '../../wire/units.ts';
import { shortened } from '../fates.ts';
import { boundedName } from '../host-name.ts';
import { linesOf } from '../lines.ts';
import type { ImportedLease, LeaseRead, ReportLine } from '../plan.ts';

export interface KeaLeaseSource {
  readonly file: string;
}

/** Addresses that are kept until the end of the file. */
export const KEA_LEASES_MAX = 4 * 1024 * 1024;
/** Rows that are not understood and are told one by one; the rest is counted. */
const BAD_ROWS_MAX = 1000;
const REQUIRED = ['address', 'hwaddr', 'client_id', 'valid_lifetime', 'expire'] as const;
const HTYPE_ETHERNET = 1;
const FOREVER = 0xffffffff;

/** Values of the column `state`. */
const STATE_DEFAULT = '0';
const STATE_DECLINED = '1';
const STATE_RECLAIMED = '2';

type Columns = ReadonlyMap<string, number>;
/** The last row of an address: the lease, or why there is none. */
interface Last {
  readonly line: number;
  readonly lease: ImportedLease | undefined;
  readonly why: string;
}

export async function* readKeaLeases(chunks: AsyncIterable<string>, source: KeaLeaseSource): AsyncGenerator<LeaseRead> {
  const { file } = source;
  const last = new Map<Ip4, Last>();
  let columns: Columns | undefined;
  let badRows = 0;
  for await (const { number, text } of linesOf(chunks)) {
    if (text !== undefined && text.trim() === '') continue;
    // Files that were joined, the older first, have a header each.
    const header = headerOf(text ?? '');
    if (header !== undefined) {
      columns = header;
      continue;
    }
    if (columns === undefined) {
      yield report(file, number, text ?? '', 'the first row does not name the columns of a Kea lease file');
      return;
    }
    const row = text === undefined ? undefined : readRow(text, columns, number);
    if (row === undefined) {
      badRows++;
      if (badRows <= BAD_ROWS_MAX) yield report(file, number, text ?? '', 'the row is not understood');
    } else if (last.size < KEA_LEASES_MAX || last.has(row.address)) last.set(row.address, row.last);
    else {
      yield report(
        file,
        number,
        formatIp4(row.address),
        `the file has more than ${KEA_LEASES_MAX} addresses: no lease is read from it`,
      );
      return;
    }
  }
  if (columns === undefined) yield report(file, 0, '', 'the file is empty');
  if (badRows > BAD_ROWS_MAX) yield report(file, 0, '', `${badRows - BAD_ROWS_MAX} more rows are not understood`);
  yield* settled(file, last);
}

/** In the order of addresses, so that the same file always gives the same. */
function* settled(file: string, last: ReadonlyMap<Ip4, Last>): Generator<LeaseRead> {
  for (const [address, { line, lease, why }] of [...last].sort(([a], [b]) => a - b)) {
    if (lease === undefined) yield report(file, line, formatIp4(address), why);
    else yield { kind: 'lease', lease };
  }
}

function headerOf(text: string): Columns | undefined {
  // Every other row begins with an address.
  if (/^\d/.test(text)) return undefined;
  const names = text
    .replace(/^\uFEFF/, '')
    .split(',')
    .map((name) => name.trim());
  const columns = new Map(names.map((name, i) => [name, i]));
  return REQUIRED.every((name) => columns.has(name)) ? columns : undefined;
}

function readRow(
  text: string,
  columns: Columns,
  line: number,
): { readonly address: Ip4; readonly last: Last } | undefined {
  const cells = text.split(',');
  const cell = (name: string): string => cells[columns.get(name) ?? -1] ?? '';
  const address = parseIp4(cell('address'));
  const lifetime = unsigned(cell('valid_lifetime'));
  const expire = expiry(cell('expire'));
  if (address === undefined || lifetime === undefined || expire === undefined) return undefined;
  const without = (why: string) => ({ address, last: { line, lease: undefined, why } });
  const state = columns.has('state') ? cell('state') : STATE_DEFAULT;
  // Kea deletes a lease by a row without lifetime.
  if (lifetime === 0) return without('the lease was removed or released');
  if (state === STATE_RECLAIMED) return without('the lease is over');
  if (state !== STATE_DEFAULT && state !== STATE_DECLINED) return without(`the state ${state} is not known`);
  const hardware = octets(cell('hwaddr'));
  const clientId = octets(cell('client_id'));
  if (hardware === undefined || clientId === undefined) return undefined;
  if (hardware.length > 16 || clientId.length > 255) return undefined;
  const isDeclined = state === STATE_DECLINED;
  if (!isDeclined && hardware.length + clientId.length === 0) return without('the lease names no client');
  const lease: ImportedLease = {
    address: formatIp4(address),
    state: isDeclined ? 'declined' : 'active',
    clientIdHex: isDeclined || clientId.length === 0 ? null : toHex(clientId),
    // The file has no hardware type: Kea keeps only the octets of the address.
    htype: HTYPE_ETHERNET,
    hardwareHex: isDeclined ? '' : toHex(hardware),
    hostName: isDeclined ? '' : hostName(cell('hostname')),
    // `expire` is the client's last transaction plus the lifetime.
    startAt: startAt(expire, lifetime),
    endAt: (lifetime === FOREVER ? FOREVER : Math.min(expire, FOREVER - 1)) as EpochSec,
  };
  return { address, last: { line, lease, why: '' } };
}

function startAt(expire: number, lifetime: number): EpochSec {
  const start = expire - lifetime;
  return (start > 0 && start < FOREVER ? start : 0) as EpochSec;
}

function unsigned(text: string): number | undefined {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  return value <= FOREVER ? value : undefined;
}

/** Seconds since 1970; a lease without end has a sum in it that is beyond 32 bits. */
function expiry(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** Octets with colons between them; empty for none. */
function octets(text: string): Uint8Array | undefined {
  if (text === '') return new Uint8Array();
  return fromHex(text.replaceAll(':', ''));
}

/** Kea writes a comma in a name as `&#x2c`, without a semicolon; the name is kept without the closing dot that Kea adds. */
function hostName(text: string): string {
  const plain = text.replace(/&#x([0-9A-Fa-f]{2})/g, (_, pair: string) =>
    String.fromCharCode(Number.parseInt(pair, 16)),
  );
  return boundedName(plain.replace(/\.$/, ''));
}

function report(file: string, line: number, statement: string, outcome: string): LeaseRead {
  const told: ReportLine = {
    carried: 'not-carried',
    file,
    line,
    statement: shortened(statement),
    outcome,
    advice: null,
  };
  return { kind: 'report', line: told };
}
