/**
 * A crowd of real DHCP clients behind one relay: packets through sockets, with the habits of RFC 2131 4.4 (DISCOVER,
 * retransmission with growing `secs`, renewal at T1 with the server that granted, rebinding at T2 with both). It also judges: two
 * clients on one address, a lease that changed its address or ended unserved, and how long anybody waited. A lease that it asked for
 * too late itself, because the machine had no time for it, is counted apart: that says nothing of the servers.
 */
import { createSocket, type Socket } from 'node:dgram';
import { type DhcpPacket, MESSAGE_TYPES, OP_REQUEST } from '../src/wire/dhcp/packet.ts';
import { decodeDhcpPacket, encodeDhcpPacket } from '../src/wire/dhcp/packet-codec.ts';
import { formatIp4, type Ip4, ip4, parseIp4, toHex } from '../src/wire/units.ts';

/** A server as the relay knows it. */
export interface CrowdServer {
  readonly name: string;
  /** Also its server identifier. */
  readonly address: string;
  readonly port: number;
}

export interface CrowdOptions {
  readonly servers: readonly CrowdServer[];
  /** The relay's own address. */
  readonly relayAddress: string;
  /** Links behind the relay, named by an address in them (RFC 3527); clients are spread over them. */
  readonly links: readonly string[];
  /** First wait before a retransmission, ms; it doubles up to four times this (RFC 2131 4.1 asks for 4 s on Ethernet). */
  readonly retransmitMs?: number;
  /** Added to hardware addresses, so that two crowds differ. */
  readonly firstClient?: number;
  /** The relay's own port; any free one when absent. Servers with their full rights answer a relay on port 67 only. */
  readonly relayPort?: number;
}

export interface CrowdStats {
  readonly clients: number;
  readonly bound: number;
  readonly acks: number;
  readonly naks: number;
  readonly offers: number;
  readonly renewals: number;
  /** Two clients held one address at one time. */
  readonly duplicates: number;
  /** Leases that ended before anybody renewed them, though all servers were asked in time. */
  readonly lost: number;
  /** Leases that ended because the crowd itself came to ask too late. */
  readonly neglected: number;
  /** Clients that were given another address while their lease still ran. */
  readonly moved: number;
  /** Clients waiting for an answer longer than one retransmission. */
  readonly waiting: number;
  /** Longest time from wanting a lease, or from T2 of a renewal, to the ACK, ms. */
  readonly longestWaitMs: number;
  /** The least that was left of a lease when it was renewed, ms; null before any was. */
  readonly leastLeftMs: number | null;
  /** The longest that the crowd itself did not come to look, ms. */
  readonly longestStallMs: number;
  readonly ackedBy: Readonly<Record<string, number>>;
}

/** A lease that ended, was refused, or was renewed with less than a second to go: what was asked, and who answered. */
export interface CloseCall {
  readonly hardware: string;
  readonly address: string;
  /** The server that granted the lease. */
  readonly grantedBy: string;
  readonly outcome: 'renewed' | 'lost' | 'neglected' | 'refused';
  /** When, by the system clock, ms. */
  readonly atMs: number;
  /** What was left of the lease then; null where an offer was refused. */
  readonly leftMs: number | null;
  /** The REQUESTs for it, and how long before each was sent. */
  readonly asked: readonly { readonly to: AskedServers; readonly beforeMs: number }[];
  /** Below 0 where it came after the lease was over. */
  readonly answers: readonly { readonly from: string; readonly beforeMs: number }[];
}

type AskedServers = 'its server' | 'all servers';

type ClientState = 'idle' | 'selecting' | 'requesting' | 'bound' | 'renewing' | 'rebinding';

interface Client {
  readonly index: number;
  readonly hardware: Uint8Array;
  readonly link: Ip4;
  state: ClientState;
  xid: number;
  wantedAtMs: number;
  sentAtMs: number;
  tries: number;
  address: Ip4;
  serverId: Ip4;
  renewAtMs: number;
  rebindAtMs: number;
  endsAtMs: number;
  /** Since the lease was last confirmed. */
  asked: { readonly to: AskedServers; readonly atMs: number }[];
  /** A request to stop: release at the next tick. */
  isLeaving: boolean;
}

interface CloseCallNotes extends Pick<Client, 'hardware' | 'address' | 'serverId' | 'endsAtMs' | 'asked'> {
  readonly outcome: CloseCall['outcome'];
  readonly atMs: number;
  readonly answers: { readonly from: Ip4; readonly atMs: number }[];
}

const TICK_MS = 20;
/** A tick that comes so late looks at what has arrived first: an answer may lie in the socket. */
const STALL_MS = 200;
/** A lease that is renewed with less than this to go was nearly lost. */
const NARROW_MS = 1000;
/** Of so many the story is kept. */
const CLOSE_CALLS_MAX = 1000;
const ASKED_MAX = 64;
/** A REQUEST for an offer is sent so often; udhcpc and dhclient too give an offer up within ten seconds. */
const REQUEST_TRIES_MAX = 2;
const PARAMETERS = Uint8Array.of(1, 3, 6, 15, 51, 54, 58, 59);
const NO_ADDRESS = 0 as Ip4;

export class Crowd {
  readonly #options: CrowdOptions;
  readonly #socket: Socket;
  readonly #clients: Client[] = [];
  readonly #byXid = new Map<number, Client>();
  readonly #holders = new Map<Ip4, Client>();
  readonly #relay: Ip4;
  readonly #retransmitMs: number;
  #timer: NodeJS.Timeout | undefined;
  #nextXid = (Math.random() * 0xffffffff) >>> 0;
  #counts = {
    acks: 0,
    naks: 0,
    offers: 0,
    renewals: 0,
    duplicates: 0,
    lost: 0,
    neglected: 0,
    moved: 0,
    longestWaitMs: 0,
  };
  readonly #ackedBy: Record<string, number> = {};
  /** Called for each ACK: for tests that compare with the servers' stores. */
  onAck: ((hardware: Uint8Array, address: Ip4, leaseSec: number) => void) | undefined;
  /** Called for each client that got what it had to wait for, with the time since it first asked. */
  onServed: ((waitedMs: number) => void) | undefined;
  #nextToRenew = 0;
  readonly #closeCalls: CloseCallNotes[] = [];
  /** By the transaction that did not save the lease, to see who answers it late. */
  readonly #lateByXid = new Map<number, CloseCallNotes>();
  #tickedAtMs = performance.now();
  #longestStallMs = 0;
  /** After a stall, until the next tick. */
  #isReading = false;
  #leastLeftMs = Number.POSITIVE_INFINITY;

  private constructor(options: CrowdOptions, socket: Socket) {
    this.#options = options;
    this.#socket = socket;
    this.#relay = parseIp4(options.relayAddress) ?? NO_ADDRESS;
    this.#retransmitMs = options.retransmitMs ?? 2000;
    for (const server of options.servers) this.#ackedBy[server.name] = 0;
    socket.on('message', (bytes) => this.#receive(bytes));
    // A server that is down answers with a port unreachable: the next retransmission tells.
    socket.on('error', () => undefined);
  }

  static async open(options: CrowdOptions): Promise<Crowd> {
    const socket = createSocket({ type: 'udp4', recvBufferSize: 4 * 1024 * 1024 });
    await new Promise<void>((resolve) => socket.bind(options.relayPort ?? 0, options.relayAddress, resolve));
    const crowd = new Crowd(options, socket);
    crowd.#timer = setInterval(() => crowd.#tick(), TICK_MS);
    return crowd;
  }

  /** More clients, which ask for a lease at once. */
  add(count: number): void {
    for (let i = 0; i < count; i++) {
      const index = (this.#options.firstClient ?? 0) + this.#clients.length;
      const links = this.#options.links;
      const client: Client = {
        index,
        // A locally administered address.
        hardware: Uint8Array.of(
          0x02,
          0x7a,
          (index >>> 24) & 255,
          (index >>> 16) & 255,
          (index >>> 8) & 255,
          index & 255,
        ),
        link: parseIp4(links[index % links.length] ?? '') ?? NO_ADDRESS,
        state: 'idle',
        xid: 0,
        wantedAtMs: 0,
        sentAtMs: 0,
        tries: 0,
        address: NO_ADDRESS,
        serverId: NO_ADDRESS,
        renewAtMs: 0,
        rebindAtMs: 0,
        endsAtMs: 0,
        asked: [],
        isLeaving: false,
      };
      this.#clients.push(client);
      this.#begin(client, 'selecting');
    }
  }

  /** Every bound client renews now with both servers, as after waking up. */
  renewAll(): void {
    for (const client of this.#clients) if (client.state === 'bound') this.#begin(client, 'rebinding');
  }

  /** The next `count` bound clients, in turn, renew with both servers. */
  renew(count: number): void {
    let left = count;
    for (let looked = 0; left > 0 && looked < this.#clients.length; looked++) {
      const client = this.#clients[this.#nextToRenew++ % this.#clients.length];
      if (client?.state !== 'bound') continue;
      left--;
      this.#begin(client, 'rebinding');
    }
  }

  /** The first `count` bound clients release their leases and are gone. */
  release(count: number): void {
    let left = count;
    for (const client of this.#clients) {
      if (left === 0) return;
      if (client.state !== 'bound') continue;
      left--;
      this.#send(client, 'release', [client.serverId]);
      this.#let(client);
      client.state = 'idle';
    }
  }

  leases(): ReadonlyMap<Ip4, Uint8Array> {
    return new Map([...this.#holders].map(([address, client]) => [address, client.hardware]));
  }

  /** The first of them, and what is known by now. */
  closeCalls(): readonly CloseCall[] {
    return this.#closeCalls.map(({ hardware, address, serverId, endsAtMs, asked, outcome, atMs, answers }) => {
      const beforeMs = (one: { readonly atMs: number }) => Math.round(atMs - one.atMs);
      return {
        hardware: toHex(hardware),
        address: formatIp4(address),
        grantedBy: formatIp4(serverId),
        outcome,
        atMs: Math.round(performance.timeOrigin + atMs),
        leftMs: Number.isFinite(endsAtMs) ? Math.round(endsAtMs - atMs) : null,
        asked: asked.map((one) => ({ to: one.to, beforeMs: beforeMs(one) })),
        answers: answers.map((one) => ({ from: formatIp4(one.from), beforeMs: beforeMs(one) })),
      };
    });
  }

  stats(): CrowdStats {
    const now = performance.now();
    const pending = this.#clients.filter(
      (client) => client.state !== 'idle' && client.state !== 'bound' && client.state !== 'renewing',
    );
    const waits = pending.map((client) => now - client.wantedAtMs);
    return {
      clients: this.#clients.length,
      bound: this.#holders.size,
      ...this.#counts,
      longestWaitMs: Math.round(Math.max(this.#counts.longestWaitMs, ...waits.filter((ms) => ms > this.#retransmitMs))),
      waiting: waits.filter((ms) => ms > this.#retransmitMs).length,
      leastLeftMs: Number.isFinite(this.#leastLeftMs) ? Math.round(this.#leastLeftMs) : null,
      longestStallMs: Math.round(this.#longestStallMs),
      ackedBy: { ...this.#ackedBy },
    };
  }

  /** Forgets the longest wait seen so far, to measure from here. */
  resetLongestWait(): void {
    this.#counts.longestWaitMs = 0;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#socket.close();
  }

  #tick(): void {
    const now = performance.now();
    const stallMs = now - this.#tickedAtMs - TICK_MS;
    this.#longestStallMs = Math.max(this.#longestStallMs, stallMs);
    this.#tickedAtMs = now;
    this.#isReading = stallMs > STALL_MS && !this.#isReading;
    if (this.#isReading) return;
    for (const client of this.#clients) {
      if (client.state === 'idle') continue;
      if (client.address !== NO_ADDRESS && now >= client.endsAtMs) {
        const outcome = wasAskedInTime(client) ? 'lost' : 'neglected';
        this.#counts[outcome]++;
        this.#noteCloseCall(client, outcome);
        this.#let(client);
        this.#begin(client, 'selecting');
      } else if (client.state === 'bound' && now >= client.renewAtMs) this.#begin(client, 'renewing');
      else if (client.state === 'renewing' && now >= client.rebindAtMs) {
        // Up to here it only preferred its server; its lease runs on, and from here any server will do.
        client.state = 'rebinding';
        client.wantedAtMs = now;
        client.tries = 0;
        this.#transmit(client, now);
      } else if (client.state !== 'bound' && now - client.sentAtMs >= this.#patienceMs(client)) {
        // RFC 2131 3.1 step 5: a REQUEST that nobody answers ends in a new DISCOVER.
        if (client.state === 'requesting' && client.tries >= REQUEST_TRIES_MAX) {
          client.state = 'selecting';
          client.tries = 0;
        }
        this.#transmit(client, now);
      }
    }
  }

  #patienceMs(client: Client): number {
    return client.state === 'requesting' ? this.#retransmitMs : this.#retransmitMs * 2 ** Math.min(client.tries - 1, 2);
  }

  #begin(client: Client, state: ClientState): void {
    this.#byXid.delete(client.xid);
    client.state = state;
    client.xid = this.#nextXid = (this.#nextXid + 1) >>> 0;
    client.tries = 0;
    client.wantedAtMs = performance.now();
    this.#byXid.set(client.xid, client);
    this.#transmit(client, client.wantedAtMs);
  }

  #transmit(client: Client, now: number): void {
    client.tries++;
    client.sentAtMs = now;
    if (client.state === 'renewing') this.#send(client, 'request', [client.serverId]);
    else this.#send(client, client.state === 'selecting' ? 'discover' : 'request', []);
    if (isHolding(client.state) && client.asked.length < ASKED_MAX)
      client.asked.push({ to: client.state === 'renewing' ? 'its server' : 'all servers', atMs: now });
  }

  /** To these server identifiers, or to all servers as a relay does with a broadcast. */
  #send(client: Client, type: 'discover' | 'request' | 'release', to: readonly Ip4[]): void {
    const options = new Map<number, Uint8Array>([[53, Uint8Array.of(MESSAGE_TYPES[type])]]);
    const holds = client.state === 'bound' || client.state === 'renewing' || client.state === 'rebinding';
    if (type === 'request' && !holds) {
      options.set(50, u32(client.address));
      options.set(54, u32(client.serverId));
    }
    if (type === 'release') options.set(54, u32(client.serverId));
    else options.set(55, PARAMETERS);
    options.set(61, Uint8Array.of(1, ...client.hardware));
    // RFC 3046 with the link selection of RFC 3527; a client that renews by unicast passes no relay, but shares our socket here.
    options.set(82, Uint8Array.of(5, 4, ...u32(client.link)));
    const packet: DhcpPacket = {
      op: OP_REQUEST,
      htype: 1,
      hlen: 6,
      hops: 1,
      xid: client.xid,
      secs: Math.min(65535, Math.floor((performance.now() - client.wantedAtMs) / 1000)),
      flags: 0,
      ciaddr: holds ? client.address : NO_ADDRESS,
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
    for (const server of this.#options.servers) {
      if (to.length > 0 && !to.includes(parseIp4(server.address) ?? NO_ADDRESS)) continue;
      this.#socket.send(bytes, server.port, server.address);
    }
  }

  #receive(bytes: Uint8Array): void {
    const read = decodeDhcpPacket(bytes);
    if (read.kind === 'bad') return;
    const packet = read.value;
    const client = this.#byXid.get(packet.xid);
    const type = packet.options.get(53)?.[0];
    if (client === undefined) {
      this.#lateByXid.get(packet.xid)?.answers.push({ from: readU32(packet.options.get(54)), atMs: performance.now() });
      return;
    }
    if (type === MESSAGE_TYPES.offer && client.state === 'selecting') this.#takeOffer(client, packet);
    else if (type === MESSAGE_TYPES.ack && isAsking(client.state)) this.#takeAck(client, packet);
    else if (type === MESSAGE_TYPES.nak && isAsking(client.state)) {
      this.#counts.naks++;
      this.#noteCloseCall(client, 'refused').answers.push({
        from: readU32(packet.options.get(54)),
        atMs: performance.now(),
      });
      this.#let(client);
      this.#begin(client, 'selecting');
    }
  }

  #takeOffer(client: Client, packet: DhcpPacket): void {
    this.#counts.offers++;
    client.state = 'requesting';
    client.address = packet.yiaddr;
    client.serverId = readU32(packet.options.get(54));
    client.endsAtMs = Number.POSITIVE_INFINITY;
    client.tries = 0;
    this.#transmit(client, performance.now());
  }

  #takeAck(client: Client, packet: DhcpPacket): void {
    const now = performance.now();
    const leaseSec = readU32(packet.options.get(51)) as number;
    if (client.state !== 'requesting') this.#counts.renewals++;
    if (isHolding(client.state)) {
      this.#leastLeftMs = Math.min(this.#leastLeftMs, client.endsAtMs - now);
      if (client.endsAtMs - now < NARROW_MS)
        this.#noteCloseCall(client, 'renewed').answers.push({ from: readU32(packet.options.get(54)), atMs: now });
    }
    client.asked = [];
    const before = this.#holderOf(client);
    if (before !== undefined && before !== packet.yiaddr) {
      this.#counts.moved++;
      this.#holders.delete(before);
    }
    const holder = this.#holders.get(packet.yiaddr);
    if (holder !== undefined && holder !== client) this.#counts.duplicates++;
    this.#holders.set(packet.yiaddr, client);
    this.#counts.acks++;
    if (client.state !== 'renewing') {
      this.#counts.longestWaitMs = Math.max(this.#counts.longestWaitMs, now - client.wantedAtMs);
      this.onServed?.(now - client.wantedAtMs);
    }
    client.address = packet.yiaddr;
    client.serverId = readU32(packet.options.get(54));
    client.state = 'bound';
    client.renewAtMs = now + (readU32(packet.options.get(58)) || leaseSec / 2) * 1000;
    client.rebindAtMs = now + (readU32(packet.options.get(59)) || leaseSec * 0.875) * 1000;
    client.endsAtMs = now + leaseSec * 1000;
    const server = this.#options.servers.find(({ address }) => address === formatIp4(client.serverId));
    if (server !== undefined) this.#ackedBy[server.name] = (this.#ackedBy[server.name] ?? 0) + 1;
    this.onAck?.(client.hardware, packet.yiaddr, leaseSec);
  }

  #noteCloseCall(client: Client, outcome: CloseCall['outcome']): CloseCallNotes {
    const { hardware, address, serverId, endsAtMs, asked } = client;
    const atMs = performance.now();
    const notes: CloseCallNotes = { hardware, address, serverId, endsAtMs, asked, outcome, atMs, answers: [] };
    client.asked = [];
    if (this.#closeCalls.length >= CLOSE_CALLS_MAX) return notes;
    this.#closeCalls.push(notes);
    if (outcome === 'lost' || outcome === 'neglected') this.#lateByXid.set(client.xid, notes);
    return notes;
  }

  #holderOf(client: Client): Ip4 | undefined {
    return client.address !== NO_ADDRESS && this.#holders.get(client.address) === client ? client.address : undefined;
  }

  #let(client: Client): void {
    if (this.#holders.get(client.address) === client) this.#holders.delete(client.address);
    client.address = NO_ADDRESS;
  }
}

/** All servers had at least half of the time that a client has for them: from T2 to the end of the lease (RFC 2131 4.4.5). */
function wasAskedInTime({ asked, rebindAtMs, endsAtMs }: Client): boolean {
  const first = asked.find(({ to }) => to === 'all servers');
  return first !== undefined && first.atMs <= (rebindAtMs + endsAtMs) / 2;
}

/** A client with a lease, and not in want of another. */
function isHolding(state: ClientState): boolean {
  return state === 'bound' || state === 'renewing' || state === 'rebinding';
}

function isAsking(state: ClientState): boolean {
  return state === 'requesting' || state === 'renewing' || state === 'rebinding';
}

function u32(n: number): Uint8Array {
  return Uint8Array.of(n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255);
}

function readU32(bytes: Uint8Array | undefined): Ip4 {
  if (bytes === undefined || bytes.length !== 4) return NO_ADDRESS;
  return ip4(((bytes[0] ?? 0) << 24) | ((bytes[1] ?? 0) << 16) | ((bytes[2] ?? 0) << 8) | (bytes[3] ?? 0));
}
