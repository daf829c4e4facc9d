/**
 * One server's end of the failover link, by the rules of the shell (`server/links.ts`): at most one connection, a message leaves
 * only when the commit it rests on is durable, frames are cut and read by the real codecs.
 */
import { decodeMessage, encodeStamped } from '../wire/failover/codec.ts';
import { Framer } from '../wire/failover/framer.ts';
import type { FailoverMessage, OutMessage } from '../wire/failover/messages.ts';
import type { Now } from '../wire/units.ts';
import type { Socket } from './cable.ts';

const PROFILE = 'twinlease';

export interface LinkEvents {
  now(): Now;
  dial(answer: { connected(socket: Socket): void; failed(why: string): void }): void;
  connected(dialled: boolean): void;
  failed(why: string): void;
  closed(why: string): void;
  message(message: FailoverMessage): void;
  /** Just before the bytes leave. */
  leaving(message: OutMessage): void;
  /** They have left; the process may end with this. */
  left(message: OutMessage): void;
  /** A frame that cannot be read: both ends are ours, so it is a fault. */
  unreadable(why: string): void;
  isAlive(): boolean;
}

interface Waiting {
  readonly sequence: number;
  readonly message: OutMessage;
}

export class LinkEnd {
  readonly #events: LinkEvents;
  #socket: Socket | undefined;
  #waiting: Waiting[] = [];
  #leaving: { readonly socket: Socket; readonly waiting: Waiting[] }[] = [];
  #isDialling = false;
  durableSequence: number;
  lastReceivedMs = 0;

  constructor(events: LinkEvents, durableSequence: number) {
    this.#events = events;
    this.durableSequence = durableSequence;
  }

  get isAttached(): boolean {
    return this.#socket !== undefined;
  }

  dial(): void {
    if (this.#isDialling) return;
    this.#isDialling = true;
    this.#events.dial({
      connected: (socket) => {
        if (!this.#events.isAlive()) return socket.close();
        this.#isDialling = false;
        if (!socket.isOpen) this.#events.failed('closed at once');
        else if (this.#socket !== undefined) socket.close();
        else this.#attach(socket, true, new Framer());
      },
      failed: (why) => {
        if (!this.#events.isAlive()) return;
        this.#isDialling = false;
        this.#events.failed(why);
      },
    });
  }

  /** A connection that the partner opened: it takes the place of the old one with its first message. */
  accept(socket: Socket): void {
    const framer = new Framer();
    socket.onData = (bytes) => {
      framer.push(bytes);
      const first = framer.next();
      if (first.kind === 'need-more') return;
      const read = first.kind === 'frame' ? decodeMessage(first.bytes, PROFILE) : undefined;
      if (read?.kind !== 'ok' || read.value.kind !== 'connect') {
        socket.close();
        return;
      }
      this.#replace();
      this.#attach(socket, false, framer);
      this.#receive(read.value);
      this.#drain(socket, framer);
    };
  }

  send(message: OutMessage, afterSequence: number): void {
    if (this.#socket === undefined) return;
    const isDue = this.#waiting.length === 0 && afterSequence <= this.durableSequence;
    if (afterSequence === 0 || isDue) this.#write(message);
    else this.#waiting.push({ sequence: afterSequence, message });
  }

  /** Past the core and its observers: what a partner says that is not as it should be. */
  answer(message: OutMessage): void {
    this.#socket?.write(this.#bytesOf(message));
  }

  /** The engine has given the link up: what still happens on it is no news any more, but what waits leaves before the end. */
  close(): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    const waiting = this.#waiting;
    this.#detach();
    if (waiting.length === 0) socket.close();
    else this.#leaving.push({ socket, waiting });
  }

  release(sequence: number): void {
    this.durableSequence = sequence;
    for (let first = this.#waiting[0]; first !== undefined && first.sequence <= sequence; first = this.#waiting[0]) {
      if (!this.#events.isAlive()) return;
      this.#waiting.shift();
      this.#write(first.message);
    }
    for (const { socket, waiting } of this.#leaving) {
      while (waiting.length > 0 && waiting[0]!.sequence <= sequence)
        socket.write(this.#bytesOf(waiting.shift()!.message));
      if (waiting.length === 0) socket.close();
    }
    this.#leaving = this.#leaving.filter(({ waiting }) => waiting.length > 0);
  }

  #replace(): void {
    const old = this.#socket;
    if (old === undefined) return;
    this.#detach();
    old.close();
    this.#events.closed('replaced by a new connection of the partner');
  }

  #detach(): void {
    this.#socket = undefined;
    this.#waiting = [];
  }

  #attach(socket: Socket, dialled: boolean, framer: Framer): void {
    this.#socket = socket;
    this.#waiting = [];
    socket.onData = (bytes) => {
      if (this.#socket !== socket) return;
      framer.push(bytes);
      this.#drain(socket, framer);
    };
    socket.onClose = (why) => {
      if (this.#socket !== socket) return;
      this.#detach();
      this.#events.closed(why);
    };
    this.#events.connected(dialled);
  }

  #drain(socket: Socket, framer: Framer): void {
    while (this.#socket === socket) {
      const next = framer.next();
      if (next.kind === 'need-more') return;
      if (next.kind === 'bad') {
        this.#events.unreadable(next.why);
        return;
      }
      const read = decodeMessage(next.bytes, PROFILE);
      if (read.kind !== 'ok') {
        this.#events.unreadable(JSON.stringify(read));
        return;
      }
      this.#receive(read.value);
    }
  }

  #receive(message: FailoverMessage): void {
    this.lastReceivedMs = this.#events.now().monoMs;
    this.#events.message(message);
  }

  #write(message: OutMessage): void {
    if (this.#socket === undefined) return;
    this.#events.leaving(message);
    this.#socket.write(this.#bytesOf(message));
    this.#events.left(message);
  }

  #bytesOf(message: OutMessage): Uint8Array {
    return encodeStamped(message, this.#events.now().wallAt, PROFILE);
  }
}
