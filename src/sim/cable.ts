/**
 * The way between the two servers: connections as TCP gives them. What is written arrives in order after a latency. A way that is
 * cut refuses new connections and ends the present one; a silent one keeps what was sent until it is whole again (TCP sends
 * it anew), in one direction or in both. A process that dies ends its connections; a machine that vanishes leaves them open at the far end.
 */
import type { Random } from './random.ts';
import type { Schedule } from './schedule.ts';
import { otherSide, type Side } from './sides.ts';

export type CutKind = 'closed' | 'silent' | 'a-to-b' | 'b-to-a';

/** A connection attempt without an answer ends after this. */
const DIAL_TIMEOUT_MS = 5000;

/** One end of a connection. */
export interface Socket {
  write(bytes: Uint8Array): void;
  close(): void;
  onData: (bytes: Uint8Array) => void;
  onClose: (why: string) => void;
  readonly isOpen: boolean;
}

/** The ear of a machine: answers false while no process listens. */
export interface Listener {
  readonly presence: 'listening' | 'refusing' | 'gone';
  accept(socket: Socket): void;
}

type Item = Uint8Array | 'end';

class Pipe {
  lastAtMs = 0;
  held: Item[] = [];
}

class Connection {
  readonly sockets: Readonly<Record<Side, End>>;
  readonly pipes: Readonly<Record<Side, Pipe>> = { a: new Pipe(), b: new Pipe() };
  readonly cable: Cable;

  constructor(cable: Cable) {
    this.cable = cable;
    this.sockets = { a: new End(this, 'a'), b: new End(this, 'b') };
  }
}

class End implements Socket {
  isOpen = true;
  onData: (bytes: Uint8Array) => void = () => {};
  onClose: (why: string) => void = () => {};
  readonly #connection: Connection;
  readonly side: Side;

  constructor(connection: Connection, side: Side) {
    this.#connection = connection;
    this.side = side;
  }

  write(bytes: Uint8Array): void {
    if (this.isOpen) this.#connection.cable.carry(this.#connection, this.side, bytes);
  }

  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    const { cable } = this.#connection;
    cable.carry(this.#connection, this.side, 'end');
    cable.schedule.after(0, () => this.onClose('closed here'));
  }

  receive(item: Item): void {
    if (!this.isOpen) return;
    if (item !== 'end') {
      this.onData(item);
      return;
    }
    this.isOpen = false;
    this.onClose('closed by the partner');
  }

  /** Its machine is gone: nobody hears of it here. */
  vanish(): void {
    this.isOpen = false;
    this.onData = () => {};
    this.onClose = () => {};
  }
}

export class Cable {
  readonly schedule: Schedule;
  latencyMs: number;
  #cut: CutKind | undefined;
  readonly #random: Random;
  readonly #listeners: Partial<Record<Side, Listener>> = {};
  #connections: Connection[] = [];

  constructor(schedule: Schedule, random: Random, latencyMs: number) {
    this.schedule = schedule;
    this.#random = random;
    this.latencyMs = latencyMs;
  }

  get cut(): CutKind | undefined {
    return this.#cut;
  }

  listen(side: Side, listener: Listener): void {
    this.#listeners[side] = listener;
  }

  setCut(cut: CutKind | undefined): void {
    this.#cut = cut;
    this.#connections = this.#connections.filter(({ sockets }) => sockets.a.isOpen || sockets.b.isOpen);
    for (const connection of [...this.#connections]) {
      if (cut === 'closed') this.#break(connection);
      else for (const side of ['a', 'b'] as const) this.#flush(connection, side);
    }
  }

  /** The present connections break; new ones can be made. */
  reset(): void {
    for (const connection of [...this.#connections]) this.#break(connection);
  }

  /** Opens a connection from `side`; exactly one of the answers comes, later. */
  dial(side: Side, answer: { connected(socket: Socket): void; failed(why: string): void }): void {
    this.schedule.after(this.#latency(), () => {
      const there = this.#listeners[otherSide(side)];
      if (this.#cut === 'closed' || there?.presence === 'refusing') {
        this.schedule.after(this.#latency(), () => answer.failed('refused'));
        return;
      }
      if (this.#cut !== undefined || there === undefined || there.presence === 'gone') {
        this.schedule.after(DIAL_TIMEOUT_MS, () => answer.failed('no answer'));
        return;
      }
      const connection = new Connection(this);
      this.#connections.push(connection);
      there.accept(connection.sockets[otherSide(side)]);
      this.schedule.after(this.#latency(), () => answer.connected(connection.sockets[side]));
    });
  }

  /**
   * One call of the management channel: `deliver` runs at the other end and answers false when nobody listens there; its reply may be
   * lost on the way back. `failed` says that the partner cannot be reached; on a silent way nobody says anything.
   */
  call(from: Side, deliver: (reply: (run: () => void) => void) => boolean, failed: () => void): void {
    const there = otherSide(from);
    this.schedule.after(this.#latency(), () => {
      if (this.#isSilent(from) || this.#listeners[there]?.presence === 'gone') return;
      const isThere = this.#cut !== 'closed' && this.#listeners[there]?.presence === 'listening';
      const reply = (run: () => void): void => {
        if (this.#cut === 'closed' || this.#isSilent(there)) return;
        this.schedule.after(this.#latency(), run);
      };
      if (!isThere || !deliver(reply)) this.schedule.after(this.#latency(), failed);
    });
  }

  /** The process of `side` died; its system ends the connections, or the whole machine vanished. */
  leave(side: Side, how: 'died' | 'vanished'): void {
    for (const connection of this.#connections) {
      const end = connection.sockets[side];
      if (!end.isOpen) continue;
      if (how === 'died') this.carry(connection, side, 'end');
      end.vanish();
    }
  }

  /** A machine that had vanished is there again, and answers for connections it knows nothing of. */
  comeBack(side: Side): void {
    for (const connection of this.#connections) {
      if (!connection.sockets[side].isOpen && connection.sockets[otherSide(side)].isOpen)
        this.carry(connection, side, 'end');
    }
  }

  carry(connection: Connection, from: Side, item: Item): void {
    const pipe = connection.pipes[from];
    pipe.lastAtMs = Math.max(this.schedule.nowMs + this.#latency(), pipe.lastAtMs);
    this.schedule.at(pipe.lastAtMs, () => {
      if (this.#isSilent(from) || pipe.held.length > 0) pipe.held.push(item);
      else connection.sockets[otherSide(from)].receive(item);
    });
  }

  #flush(connection: Connection, from: Side): void {
    const pipe = connection.pipes[from];
    if (this.#isSilent(from) || pipe.held.length === 0) return;
    const held = pipe.held;
    pipe.held = [];
    for (const item of held) this.carry(connection, from, item);
  }

  #break(connection: Connection): void {
    for (const end of [connection.sockets.a, connection.sockets.b]) {
      if (!end.isOpen) continue;
      end.isOpen = false;
      this.schedule.after(this.#latency(), () => end.onClose('the connection broke'));
    }
  }

  #isSilent(from: Side): boolean {
    return this.#cut === 'silent' || this.#cut === (from === 'a' ? 'a-to-b' : 'b-to-a');
  }

  #latency(): number {
    return this.latencyMs * (0.5 + this.#random.below(1000) / 1000);
  }
}
