/**
 * Reads a dhcpd.leases (ISC dhcpd 4.x), a log in which the last entry of an address holds (dhcpd.leases(5)). The file may be larger
 * than memory likes: it is taken piece by piece, and what is kept is one small record for each address that it names.
 */
import { type EpochSec, formatIp4, type Ip4, toHex } from '../../wire/units.ts';
import { lookUp } from '../look-up.ts';
import type { ImportedLease, LeaseRead, ReportLine } from '../plan.ts';
import { LeaseEntries } from './lease-entries.ts';
import { numberIn, readData, readIp4 } from './option-values.ts';
import { nameAt, parseStatements, type Statement, statementText, wordAt } from './statements.ts';

/** dhcpd.conf(5), abandon-lease-time. */
const ABANDON_SEC_DEFAULT = 86_400;
const INFINITE_AT = 0xffffffff as EpochSec;
/** Entries that are told one by one; the rest is counted. */
const LINES_MAX = 1000;

export interface ReadLeasesOptions {
  readonly file?: string;
  /** How long dhcpd kept declined addresses aside: `abandon-lease-time`. */
  readonly abandonSec?: number;
}

/** Addresses that one file may name; dhcpd itself keeps all of them in memory. */
export const ADDRESSES_MAX = 4 * 1024 * 1024;

type NotLeased = 'free' | 'expired' | 'released' | 'unknown';

export async function* readDhcpdLeases(
  chunks: AsyncIterable<string>,
  options: ReadLeasesOptions = {},
): AsyncGenerator<LeaseRead> {
  const file = options.file ?? 'dhcpd.leases';
  const book = new LeaseBook(file, options.abandonSec ?? ABANDON_SEC_DEFAULT);
  const entries = new LeaseEntries();
  for await (const chunk of chunks) {
    for (const entry of entries.add(chunk)) book.entry(entry.text, entry.line);
    yield* book.takeLines();
    if (entries.isBroken) break;
  }
  const rest = entries.rest();
  if (rest !== undefined) book.cutOff(rest.text, rest.line, entries.isBroken);
  yield* book.takeLines();
  yield* book.all();
}

class LeaseBook {
  readonly #file: string;
  readonly #abandonSec: number;
  /** A lease as one packed text, some 100 octets; else what the last entry says of the address. */
  readonly #byAddress = new Map<number, string>();
  #lines: ReportLine[] = [];
  #lineCount = 0;

  constructor(file: string, abandonSec: number) {
    this.#file = file;
    this.#abandonSec = abandonSec;
  }

  entry(text: string, line: number): void {
    const parsed = parseStatements(text, this.#file);
    if (parsed.kind === 'bad') {
      this.#say(line, text, `is not readable: ${parsed.why}`, null);
      return;
    }
    for (const statement of parsed.statements) this.#statement(statement, line + statement.line - 1);
  }

  cutOff(text: string, line: number, isBroken: boolean): void {
    const outcome = isBroken
      ? 'no entry is as long as this; nothing behind it was read'
      : 'the file ends within an entry';
    this.#say(line, text, outcome, 'Import again from a whole file.');
  }

  *takeLines(): Generator<LeaseRead> {
    const lines = this.#lines;
    this.#lines = [];
    for (const line of lines) yield { kind: 'report', line };
  }

  *all(): Generator<LeaseRead> {
    const counts = new Map<NotLeased, number>();
    for (const [address, kept] of this.#byAddress) {
      const lease = unpacked(address as Ip4, kept);
      if (lease !== undefined) yield { kind: 'lease', lease };
      else counts.set(kept as NotLeased, (counts.get(kept as NotLeased) ?? 0) + 1);
    }
    for (const [state, count] of counts) {
      const statement = `${count} addresses`;
      yield { kind: 'report', line: this.#line('carried', 0, statement, NOT_LEASED[state], null) };
    }
    if (this.#lineCount > LINES_MAX) {
      const statement = `${this.#lineCount - LINES_MAX} more entries`;
      yield { kind: 'report', line: this.#line('not-carried', 0, statement, 'are like the entries before', null) };
    }
  }

  #statement(statement: Statement, line: number): void {
    const word = wordAt(statement, 0);
    if (word === 'lease' && statement.block !== undefined) {
      this.#lease(statement, line);
      return;
    }
    const known = lookUp(OTHERS, word);
    if (known !== undefined)
      this.#say(line, statementText(statement), known.outcome, known.advice ?? null, known.carried);
    else this.#say(line, statementText(statement), 'is no entry that is known here', null);
  }

  #lease(statement: Statement, line: number): void {
    const address = readIp4(statement.tokens[1]?.text ?? '');
    if (address === undefined) {
      this.#say(line, statementText(statement), 'has no IPv4 address', null);
      return;
    }
    const parts = partsOf(statement.block ?? []);
    const ip = address as Ip4;
    if (this.#byAddress.size >= ADDRESSES_MAX && !this.#byAddress.has(ip)) {
      this.#say(line, statementText(statement), `a file may name ${ADDRESSES_MAX} addresses`, null);
      return;
    }
    this.#byAddress.set(ip, this.#keptOf(ip, parts, line));
    if (parts.isReserved) {
      const advice = `Reserve it: \`twinlease reservation add --ip-address ${formatIp4(ip)}\`.`;
      this.#say(
        line,
        statementText(statement),
        'the lease is reserved for its client, which is a reservation here',
        advice,
      );
    }
  }

  #keptOf(address: Ip4, parts: LeaseParts, line: number): string {
    if (parts.state === 'abandoned') {
      const startAt = parts.endAt === INFINITE_AT ? parts.startAt : Math.max(0, parts.endAt - this.#abandonSec);
      return packed(['declined', startAt, parts.endAt, 0, '', '-', '']);
    }
    if (parts.state !== 'active') return lookUp(NOT_LEASED_STATES, parts.state) ?? 'unknown';
    const { clientIdHex, htype, hardwareHex, hostName } = parts;
    if (clientIdHex === null && hardwareHex === '') {
      this.#say(line, `lease ${formatIp4(address)}`, 'names no client', null);
      return 'unknown';
    }
    const startAt = parts.lastAt ?? parts.startAt;
    return packed(['active', startAt, parts.endAt, htype, hardwareHex, clientIdHex ?? '-', hostName]);
  }

  #say(
    line: number,
    statement: string,
    outcome: string,
    advice: string | null,
    carried: ReportLine['carried'] = 'not-carried',
  ): void {
    this.#lineCount++;
    if (this.#lineCount <= LINES_MAX) this.#lines.push(this.#line(carried, line, statement, outcome, advice));
  }

  #line(
    carried: ReportLine['carried'],
    line: number,
    statement: string,
    outcome: string,
    advice: string | null,
  ): ReportLine {
    return { carried, file: this.#file, line, statement: shortened(statement), outcome, advice };
  }
}

/** Joined into one flat text: small, and no part of the file stays in memory with it. */
function packed(parts: readonly (string | number)[]): string {
  return parts.join('|');
}

function unpacked(address: Ip4, text: string): ImportedLease | undefined {
  // A host name comes last, as it may hold the separator.
  const match = /^(active|declined)\|(\d+)\|(\d+)\|(\d+)\|([^|]*)\|([^|]*)\|([\s\S]*)$/.exec(text);
  if (match === null) return undefined;
  const [, state, startAt, endAt, htype, hardwareHex = '', clientId = '-', hostName = ''] = match;
  return {
    address: formatIp4(address),
    state: state === 'declined' ? 'declined' : 'active',
    clientIdHex: clientId === '-' ? null : clientId,
    htype: Number(htype),
    hardwareHex,
    hostName,
    startAt: Number(startAt) as EpochSec,
    endAt: Number(endAt) as EpochSec,
  };
}

interface LeaseParts {
  state: string;
  startAt: EpochSec;
  /** The client's last transaction. */
  lastAt: EpochSec | undefined;
  endAt: EpochSec;
  clientIdHex: string | null;
  htype: number;
  hardwareHex: string;
  hostName: string;
  isReserved: boolean;
}

function partsOf(block: readonly Statement[]): LeaseParts {
  const parts: LeaseParts = {
    // Files of before failover have no states: an entry was a lease.
    state: 'active',
    startAt: 0 as EpochSec,
    lastAt: undefined,
    endAt: 0 as EpochSec,
    clientIdHex: null,
    htype: 1,
    hardwareHex: '',
    hostName: '',
    isReserved: false,
  };
  for (const statement of block) readPart(parts, statement);
  return parts;
}

function readPart(parts: LeaseParts, statement: Statement): void {
  switch (wordAt(statement, 0)) {
    case 'binding':
      if (wordAt(statement, 1) === 'state') parts.state = wordAt(statement, 2);
      return;
    case 'abandoned':
    case 'free':
      parts.state = wordAt(statement, 0);
      return;
    case 'starts':
      parts.startAt = dateOf(statement) ?? parts.startAt;
      return;
    case 'cltt':
      parts.lastAt = dateOf(statement);
      return;
    case 'ends':
      parts.endAt = dateOf(statement) ?? parts.endAt;
      return;
    case 'uid':
      parts.clientIdHex = hexOf(statement, CLIENT_ID_OCTETS_MAX) ?? null;
      return;
    case 'hardware':
      readHardware(parts, statement);
      return;
    case 'client-hostname':
      parts.hostName = hostName(nameAt(statement, 1) ?? '');
      return;
    case 'reserved':
      parts.isReserved = true;
      return;
    default:
      return;
  }
}

const CLIENT_ID_OCTETS_MAX = 255;
const HARDWARE_OCTETS_MAX = 16;
const NAME_OCTETS_MAX = 255;

function hexOf(statement: Statement, octetsMax: number, from = 1): string | undefined {
  const octets = readData(statement.tokens.slice(from));
  return octets === undefined || octets.length === 0 || octets.length > octetsMax ? undefined : toHex(octets);
}

/** dhcpd writes types that it has no name for as `unknown-N`. */
function readHardware(parts: LeaseParts, statement: Statement): void {
  const word = wordAt(statement, 1);
  const htype = lookUp(HARDWARE_TYPES, word) ?? numberIn(/^unknown-(\d{1,3})$/.exec(word)?.[1] ?? '');
  const hex = hexOf(statement, HARDWARE_OCTETS_MAX, 2);
  if (htype === undefined || htype > 255 || hex === undefined) return;
  parts.htype = htype;
  parts.hardwareHex = hex;
}

const HARDWARE_TYPES: Readonly<Record<string, number>> = { ethernet: 1, 'token-ring': 6, fddi: 8, infiniband: 32 };

/** What is not UTF-8 is no name that could be shown. */
function hostName(octets: string): string {
  const bytes = Uint8Array.from(octets, (character) => character.charCodeAt(0));
  const text = new TextDecoder().decode(bytes.subarray(0, NAME_OCTETS_MAX));
  return text.includes('\ufffd') ? '' : text;
}

/** `never`, `epoch N`, or `W YYYY/MM/DD hh:mm:ss` in UTC. */
function dateOf(statement: Statement): EpochSec | undefined {
  const words = statement.tokens.slice(1).map((token) => token.text);
  if (words[0] === 'never') return INFINITE_AT;
  if (words[0] === 'epoch') return epoch(numberIn(words[1] ?? ''));
  // The mark `/` and `:` are tokens of their own.
  const [year, month, day, hour, minute, second] = words
    .slice(1)
    .filter((word) => word !== '/' && word !== ':')
    .map((word) => (/^\d{1,4}$/.test(word) ? Number(word) : Number.NaN));
  const at = Date.UTC(year ?? Number.NaN, (month ?? Number.NaN) - 1, day, hour, minute, second);
  return epoch(Number.isNaN(at) ? undefined : at / 1000);
}

function epoch(at: number | undefined): EpochSec | undefined {
  if (at === undefined || at < 0) return undefined;
  return Math.min(Math.floor(at), INFINITE_AT) as EpochSec;
}

const NOT_LEASED: Readonly<Record<NotLeased, string>> = {
  free: 'are free, and are free here',
  expired: 'had leases that are over',
  released: 'were given back by their clients',
  unknown: 'are in a state that means no lease',
};
const NOT_LEASED_STATES: Readonly<Record<string, NotLeased>> = {
  free: 'free',
  backup: 'free',
  expired: 'expired',
  released: 'released',
  reset: 'free',
  bootp: 'unknown',
};

interface Other {
  readonly outcome: string;
  readonly advice?: string;
  readonly carried?: ReportLine['carried'];
}

const IPV6: Other = { outcome: 'this server serves IPv4 only' };
const OMAPI: Other = {
  outcome: 'was made through omapi',
  advice: 'Write it into the configuration, or reserve its address here.',
};
const OTHERS: Readonly<Record<string, Other>> = {
  'authoring-byte-order': { outcome: 'leases are read as text', carried: 'carried' },
  'server-duid': IPV6,
  'ia-na': IPV6,
  'ia-ta': IPV6,
  'ia-pd': IPV6,
  ia_na: IPV6,
  ia_ta: IPV6,
  ia_pd: IPV6,
  failover: { outcome: 'the states of a relationship are agreed anew with the partner', carried: 'changed' },
  host: OMAPI,
  group: OMAPI,
  class: OMAPI,
  subclass: OMAPI,
};

const SHOWN_CHARACTERS_MAX = 100;

function shortened(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > SHOWN_CHARACTERS_MAX ? `${line.slice(0, SHOWN_CHARACTERS_MAX - 1)}…` : line;
}
