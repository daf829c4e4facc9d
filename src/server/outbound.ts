/**
 * Replies on their way to clients: each waits for the commit it rests on, then leaves in a batch (design, "decide, commit,
 * send"). Order is kept among those that wait; an OFFER waits for nothing.
 */
import type { ReplyPlan } from '../core/serving/serving-types.ts';
import type { OutgoingPacket, PacketIo } from '../net/packet-io.ts';
import type { Ip4 } from '../wire/units.ts';

/** Replies that wait for the disk; beyond, packets are shed before they are decided. */
export const WAITING_REPLIES_MAX = 8192;
/** OFFERs held back by a scope's delay at one time. */
const DELAYED_REPLIES_MAX = 4096;
const CLIENT_PORT = 68;
const BROADCAST = 0xffffffff as Ip4;
const NO_ADDRESS = 0 as Ip4;

interface Waiting {
  readonly sequence: number;
  readonly packet: OutgoingPacket;
}

export class Outbound {
  readonly #io: PacketIo;
  #waiting: Waiting[] = [];
  #first = 0;
  #ready: OutgoingPacket[] = [];
  readonly #delayed = new Set<NodeJS.Timeout>();
  delayedCount = 0;

  constructor(io: PacketIo) {
    this.#io = io;
  }

  get hasRoom(): boolean {
    return this.#waiting.length - this.#first < WAITING_REPLIES_MAX;
  }

  /** `afterSequence` 0, or at most `durableSequence`: with the next `flush`. */
  add(reply: ReplyPlan, afterSequence: number, durableSequence: number): void {
    if (reply.delayMs > 0 && this.#delayed.size < DELAYED_REPLIES_MAX) {
      this.delayedCount++;
      const timer = setTimeout(() => {
        this.#delayed.delete(timer);
        this.#io.send([outgoing(reply)]);
      }, reply.delayMs);
      this.#delayed.add(timer);
    } else if (afterSequence <= durableSequence) this.#ready.push(outgoing(reply));
    else this.#waiting.push({ sequence: afterSequence, packet: outgoing(reply) });
  }

  /** Lets go what rests on commits up to `sequence`. */
  release(sequence: number): void {
    while (this.#first < this.#waiting.length && this.#waiting[this.#first]!.sequence <= sequence) {
      this.#ready.push(this.#waiting[this.#first++]!.packet);
    }
    if (this.#first === this.#waiting.length) {
      this.#waiting = [];
      this.#first = 0;
    } else if (this.#first > WAITING_REPLIES_MAX) {
      this.#waiting = this.#waiting.slice(this.#first);
      this.#first = 0;
    }
  }

  flush(): void {
    if (this.#ready.length === 0) return;
    const batch = this.#ready;
    this.#ready = [];
    this.#io.send(batch);
  }

  close(): void {
    for (const timer of this.#delayed) clearTimeout(timer);
    this.#delayed.clear();
  }
}

function outgoing(reply: ReplyPlan): OutgoingPacket {
  const { destination } = reply;
  const common = { interfaceId: reply.interfaceId, source: reply.source, bytes: reply.bytes };
  switch (destination.kind) {
    case 'relay':
    case 'unicast':
      return { ...common, address: destination.address, port: destination.port, hardware: undefined };
    case 'link-layer':
      return {
        ...common,
        address: reply.address === NO_ADDRESS ? BROADCAST : destination.address,
        port: CLIENT_PORT,
        hardware: destination.hardware,
      };
    case 'broadcast':
      return { ...common, address: BROADCAST, port: CLIENT_PORT, hardware: undefined };
    default:
      return destination satisfies never;
  }
}
