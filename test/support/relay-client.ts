/**
 * DHCP and BOOTP clients under a script: each step is one message, sent through a relay's socket in a network namespace, and the answers
 * come back as values. For what stock clients do not do at will: decline, release elsewhere, ask one server alone, keep still.
 */
import { createSocket, type Socket } from 'node:dgram';
import { closeSync, openSync } from 'node:fs';
import koffi from 'koffi';
import {
  AF_INET,
  bindSocket,
  closeFd,
  inetAddress,
  openSocket,
  SO_RCVBUFFORCE,
  SOCK_DGRAM,
  SOL_SOCKET,
  setIntOption,
  systemError,
} from '../../src/net/native/libc.ts';
import { type DhcpPacket, MESSAGE_TYPES, type MessageType, OP_REPLY, OP_REQUEST } from '../../src/wire/dhcp/packet.ts';
import { decodeDhcpPacket, encodeDhcpPacket } from '../../src/wire/dhcp/packet-codec.ts';
import { bucketKey, bucketOf } from '../../src/wire/failover/hash-buckets.ts';
import { formatIp4, type Ip4, ip4, parseIp4, toHex } from '../../src/wire/units.ts';
import type { Host } from './network.ts';

const CLONE_NEWNET = 0x40000000;
const RELAY_PORT = 67;
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;
const NO_ADDRESS = 0 as Ip4;
/** RFC 2132 9.2. */
export const INFINITE_LEASE_SEC = 0xffffffff;
/** Between two sendings of the same message. */
const REPEAT_MS = 1000;
/** A `secs` that makes every server answer whatever bucket the client is in. */
const SECS_FOR_ANY = 0xfe;
/** Reads the same in either byte order: dhcpd may take one for the other (specification 8.4). */
const SECS_SWAPPED_TOO = (SECS_FOR_ANY << 8) | SECS_FOR_ANY;

const setns = koffi.load(null).func('int setns(int, int)') as (fd: number, kind: number) => number;

export interface RelayedServer {
  readonly name: string;
  readonly address: string;
  /** Where it takes packets of relays; 67 unless it has no rights to that. */
  readonly port?: number;
}

export interface ScriptedClient {
  readonly hardware: Uint8Array;
  /** Contents of option 61, or none. */
  readonly clientId: Uint8Array | undefined;
}

export interface Answer {
  /** The server that sent it. */
  readonly from: string;
  readonly packet: DhcpPacket;
  /** When the message was sent that it answers. */
  readonly sentMs: number;
}

export interface HeldLease {
  readonly client: ScriptedClient;
  readonly address: string;
  /** Name of the server that granted or renewed it. */
  server: string;
  endsAtMs: number;
  leaseSec: number;
}

export interface AskOptions {
  /** Names of the servers that hear it; all when absent. */
  readonly to?: readonly string[];
  readonly secs?: number;
  readonly timeoutMs?: number;
  /** Options besides the usual ones. */
  readonly options?: ReadonlyMap<number, Uint8Array>;
}

export class RelayClients {
  readonly #socket: Socket;
  readonly #servers: readonly RelayedServer[];
  readonly #relay: Ip4;
  #link: Ip4 | undefined;
  readonly #listeners = new Map<number, { readonly sentMs: number; take(answer: Answer): void }>();
  #nextXid = (Math.random() * 0x7fffffff) >>> 0;
  #made = 0;
  /** What clients hold, by address, as far as they know. */
  readonly held = new Map<string, HeldLease>();
  /** What must never happen: an address that somebody else still holds was given out. */
  readonly troubles: string[] = [];

  private constructor(socket: Socket, relayAddress: string, servers: readonly RelayedServer[]) {
    this.#socket = socket;
    this.#servers = servers;
    this.#relay = parseIp4(relayAddress) ?? NO_ADDRESS;
    socket.on('message', (bytes, { address }) => this.#receive(bytes, address));
    // A server that is down answers with a port unreachable: the answer that does not come tells.
    socket.on('error', () => undefined);
  }

  /** `relayAddress` is one of the host's own. */
  static async open(host: Host, relayAddress: string, servers: readonly RelayedServer[]): Promise<RelayClients> {
    const fd = inSpace(host.space, () => {
      const opened = openSocket(AF_INET, SOCK_DGRAM, 0);
      if (opened < 0) throw systemError('socket', opened);
      setIntOption(opened, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES);
      const bound = bindSocket(opened, inetAddress(parseIp4(relayAddress) ?? NO_ADDRESS, RELAY_PORT));
      if (bound >= 0) return opened;
      closeFd(opened);
      throw systemError(`bind to ${relayAddress}`, bound);
    });
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind({ fd }, resolve));
    return new RelayClients(socket, relayAddress, servers);
  }

  /** On this host itself, from any free port: for servers in relay-only service. `link` is an address of the clients' network. */
  static async openHere(relayAddress: string, link: string, servers: readonly RelayedServer[]): Promise<RelayClients> {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind(0, relayAddress, resolve));
    const clients = new RelayClients(socket, relayAddress, servers);
    clients.#link = parseIp4(link);
    return clients;
  }

  /** A new client, with a client identifier made from its hardware address unless told otherwise. */
  client(withClientId = true): ScriptedClient {
    const index = this.#made++;
    const hardware = Uint8Array.of(
      0x02,
      0x7b,
      (index >>> 24) & 255,
      (index >>> 16) & 255,
      (index >>> 8) & 255,
      index & 255,
    );
    return { hardware, clientId: withClientId ? Uint8Array.of(1, ...hardware) : undefined };
  }

  /** New clients of the buckets wanted. */
  clientsOf(wanted: (bucket: number) => boolean, count: number): ScriptedClient[] {
    const found: ScriptedClient[] = [];
    while (found.length < count) {
      const client = this.client();
      if (wanted(bucketOfClient(client))) found.push(client);
    }
    return found;
  }

  /** DISCOVER and REQUEST until there is an ACK, as a client does: repeated, with growing `secs`. */
  async obtain(
    client: ScriptedClient,
    asked: AskOptions & { readonly address?: string; readonly secs?: number } = {},
  ): Promise<HeldLease> {
    const startedMs = performance.now();
    const untilMs = startedMs + (asked.timeoutMs ?? 30_000);
    const wanted = asked.address === undefined ? [] : ([[50, u32(parseIp4(asked.address) ?? NO_ADDRESS)]] as const);
    while (performance.now() < untilMs) {
      const secs = asked.secs ?? Math.floor((performance.now() - startedMs) / 1000);
      const options = new Map([...wanted, ...(asked.options ?? [])]);
      const offer = await this.ask(client, 'discover', { ...asked, secs, timeoutMs: REPEAT_MS, options });
      if (offer === undefined) continue;
      const chosen = new Map([
        [50, u32(offer.packet.yiaddr)],
        [54, offer.packet.options.get(54) ?? u32(NO_ADDRESS)],
        ...(asked.options ?? []),
      ]);
      const answer = await this.ask(client, 'request', { ...asked, secs, timeoutMs: 2 * REPEAT_MS, options: chosen });
      if (answer !== undefined && typeOf(answer.packet) === 'ack') return this.#hold(client, answer);
    }
    throw new Error(
      `client ${toHex(client.hardware)} got no lease: not within ${Math.round(performance.now() - startedMs)} ms`,
    );
  }

  /** RENEWING or REBINDING, by the servers named: the lease, or why not. */
  async renew(lease: HeldLease, asked: AskOptions = {}): Promise<HeldLease | 'refused' | 'unanswered'> {
    const untilMs = performance.now() + (asked.timeoutMs ?? 10_000);
    while (performance.now() < untilMs) {
      const answer = await this.ask(lease.client, 'request', { ...asked, timeoutMs: REPEAT_MS }, lease.address);
      if (answer === undefined) continue;
      if (typeOf(answer.packet) === 'ack') return this.#hold(lease.client, answer);
      this.#drop(lease);
      return 'refused';
    }
    return 'unanswered';
  }

  /** To the server that granted it, unless told otherwise. RFC 2131 4.4.6: nobody answers. */
  release(lease: HeldLease, to: readonly string[] = [lease.server]): void {
    const options = new Map([[54, u32(this.#addressOf(to[0] ?? lease.server))]]);
    this.#send(this.#xid(), lease.client, 'release', { to, options }, lease.address);
    this.#drop(lease);
  }

  /** RFC 2131 4.4.4: broadcast, so every server hears it. */
  decline(lease: HeldLease, to: readonly string[] = []): void {
    const options = new Map([
      [50, u32(parseIp4(lease.address) ?? NO_ADDRESS)],
      [54, u32(this.#addressOf(lease.server))],
    ]);
    this.#send(this.#xid(), lease.client, 'decline', { ...(to.length > 0 ? { to } : {}), options });
    this.#drop(lease);
  }

  /** BOOTP (RFC 951): the address, or undefined when nobody answers in time. */
  async bootp(client: ScriptedClient, asked: AskOptions = {}): Promise<HeldLease | undefined> {
    const answer = await this.ask(client, 'bootp', asked);
    return answer === undefined ? undefined : this.#hold(client, answer);
  }

  /** A lease that its client forgets, without a word. */
  forget(lease: HeldLease): void {
    this.#drop(lease);
  }

  /** Sends one message and resolves with the first answer, or undefined when there is none in time. */
  async ask(
    client: ScriptedClient,
    type: 'discover' | 'request' | 'bootp',
    asked: AskOptions,
    ciaddr?: string,
  ): Promise<Answer | undefined> {
    const xid = this.#xid();
    const answered = this.#answer(xid, asked.timeoutMs ?? 5000);
    this.#send(xid, client, type, asked, ciaddr);
    return await answered;
  }

  /**
   * Which servers offer an address to each client that sends one DISCOVER to all. Who keeps silent is known because each server, asked
   * afterwards by a client that it must answer, has answered: packets are taken in order.
   */
  async offersTo(
    clients: readonly ScriptedClient[],
    secs: number,
  ): Promise<ReadonlyMap<ScriptedClient, readonly string[]>> {
    const offers = new Map<ScriptedClient, string[]>();
    for (const client of clients) {
      const xid = this.#xid();
      offers.set(client, []);
      this.#listeners.set(xid, { sentMs: performance.now(), take: ({ from }) => offers.get(client)?.push(from) });
      this.#send(xid, client, 'discover', { secs });
    }
    for (const { name } of this.#servers) {
      const fence = await this.ask(this.client(), 'discover', {
        to: [name],
        secs: SECS_SWAPPED_TOO,
        timeoutMs: 10_000,
      });
      if (fence === undefined) throw new Error(`${name} answers nobody`);
    }
    return offers;
  }

  close(): void {
    this.#socket.close();
  }

  #xid(): number {
    this.#nextXid = (this.#nextXid + 1) >>> 0;
    return this.#nextXid;
  }

  #addressOf(server: string): Ip4 {
    return parseIp4(this.#servers.find(({ name }) => name === server)?.address ?? '') ?? NO_ADDRESS;
  }

  #answer(xid: number, timeoutMs: number): Promise<Answer | undefined> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#listeners.delete(xid);
        resolve(undefined);
      }, timeoutMs);
      const take = (answer: Answer): void => {
        clearTimeout(timer);
        this.#listeners.delete(xid);
        resolve(answer);
      };
      this.#listeners.set(xid, { sentMs: performance.now(), take });
    });
  }

  #receive(bytes: Uint8Array, address: string): void {
    const read = decodeDhcpPacket(bytes);
    if (read.kind === 'bad' || read.value.op !== OP_REPLY) return;
    const from = this.#servers.find((server) => server.address === address)?.name ?? address;
    const listener = this.#listeners.get(read.value.xid);
    listener?.take({ from, packet: read.value, sentMs: listener.sentMs });
  }

  #send(xid: number, client: ScriptedClient, type: MessageType | 'bootp', asked: AskOptions, ciaddr?: string): void {
    const options = new Map<number, Uint8Array>();
    if (type !== 'bootp') {
      options.set(53, Uint8Array.of(MESSAGE_TYPES[type]));
      if (client.clientId !== undefined) options.set(61, client.clientId);
      if (type !== 'release' && type !== 'decline') options.set(55, Uint8Array.of(1, 3, 6, 51, 54, 58, 59));
    }
    for (const [code, value] of asked.options ?? []) options.set(code, value);
    // RFC 3527.
    if (this.#link !== undefined) options.set(82, Uint8Array.of(5, 4, ...u32(this.#link)));
    const packet: DhcpPacket = {
      op: OP_REQUEST,
      htype: 1,
      hlen: 6,
      hops: 1,
      xid,
      secs: asked.secs ?? 0,
      flags: 0,
      ciaddr: ciaddr === undefined ? NO_ADDRESS : (parseIp4(ciaddr) ?? NO_ADDRESS),
      yiaddr: NO_ADDRESS,
      siaddr: NO_ADDRESS,
      giaddr: this.#relay,
      chaddr: client.hardware,
      sname: new Uint8Array(0),
      file: new Uint8Array(0),
      hasCookie: true,
      options,
    };
    const bytes = encodeDhcpPacket(packet, { bytesMax: 1500, bytesMin: 300 });
    for (const { name, address, port = RELAY_PORT } of this.#servers)
      if (asked.to === undefined || asked.to.includes(name)) this.#socket.send(bytes, port, address);
  }

  /** RFC 2131 4.4.1: a lease runs from the moment when the client sent its REQUEST. */
  #hold(client: ScriptedClient, { from, packet, sentMs }: Answer): HeldLease {
    const address = formatIp4(packet.yiaddr);
    const now = performance.now();
    const leaseSec = readU32(packet.options.get(51)) ?? INFINITE_LEASE_SEC;
    const holder = this.held.get(address);
    if (holder !== undefined && holder.client !== client && holder.endsAtMs > now)
      this.troubles.push(
        `${address} was given to ${toHex(client.hardware)} by ${from}, while ${toHex(holder.client.hardware)} holds it`,
      );
    const endsAtMs = leaseSec === INFINITE_LEASE_SEC ? Number.POSITIVE_INFINITY : sentMs + leaseSec * 1000;
    const lease: HeldLease = { client, address, server: from, endsAtMs, leaseSec };
    this.held.set(address, lease);
    return lease;
  }

  #drop(lease: HeldLease): void {
    if (this.held.get(lease.address)?.client === lease.client) this.held.delete(lease.address);
  }
}

export function bucketOfClient(client: ScriptedClient): number {
  return bucketOf(bucketKey(client.clientId, client.hardware));
}

function typeOf(packet: DhcpPacket): MessageType | undefined {
  const code = packet.options.get(53)?.[0];
  return (Object.keys(MESSAGE_TYPES) as MessageType[]).find((name) => MESSAGE_TYPES[name] === code);
}

/** Runs `work`, which must not wait, with the sockets it opens living in that namespace. */
function inSpace<T>(space: string, work: () => T): T {
  const home = openSync('/proc/self/ns/net', 'r');
  const there = openSync(`/run/netns/${space}`, 'r');
  let isHome = false;
  let result: T;
  try {
    if (setns(there, CLONE_NEWNET) !== 0) throw new Error(`cannot enter ${space}`);
    result = work();
  } finally {
    isHome = setns(home, CLONE_NEWNET) === 0;
    closeSync(home);
    closeSync(there);
  }
  if (!isHome) throw new Error('cannot come back from a namespace');
  return result;
}

export function u32(n: number): Uint8Array {
  return Uint8Array.of(n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255);
}

function readU32(bytes: Uint8Array | undefined): Ip4 | undefined {
  if (bytes === undefined || bytes.length !== 4) return undefined;
  return ip4(((bytes[0] ?? 0) << 24) | ((bytes[1] ?? 0) << 16) | ((bytes[2] ?? 0) << 8) | (bytes[3] ?? 0));
}
