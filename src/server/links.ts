/**
 * The failover connections: one for each relationship at most. Cuts frames, reads and writes messages, and lets a message
 * leave only when the commit it rests on is durable; the rules are the engine's (`core/failover`).
 */
import type { Relationship } from '../core/config/model.ts';
import type { TlsConnection } from '../net/connection.ts';
import { type Decoded, decodeMessage, encodeMessage, peekConnect } from '../wire/failover/codec.ts';
import type { DigestKey } from '../wire/failover/digest.ts';
import { Framer } from '../wire/failover/framer.ts';
import type { FailoverMessage, OutMessage, WireProfile } from '../wire/failover/messages.ts';
import type { EpochSec, Now } from '../wire/units.ts';
import { frameFingerprint } from './quarantine.ts';

/** From an accepted connection to its CONNECT (specification 1.1: limited). */
const FIRST_MESSAGE_MS = 15_000;
/** A partner may call for a relationship a moment before the change that makes it has reached this server. */
export const UNKNOWN_LOOK_MS = 50;
export const UNKNOWN_LOOKS_MAX = 40;
/** Messages waiting for the disk on one link; more means that the disk has died, and the link is closed. */
const WAITING_MESSAGES_MAX = 4096;

export interface LinkEvents {
  now(): Now;
  connected(relationship: string, dialled: boolean): void;
  failed(relationship: string, why: string): void;
  closed(relationship: string, why: string): void;
  /** Must not throw; `frame` is for a fingerprint. */
  message(relationship: string, message: FailoverMessage, frame: Uint8Array): void;
  relationshipOf(name: string): Relationship | undefined;
  /** How messages are authenticated where the relationship has a shared secret. */
  digestOf(relationship: Relationship): DigestKey | undefined;
  dial(relationship: Relationship): Promise<TlsConnection>;
  isQuarantined(fingerprint: string): boolean;
  heardTime(at: EpochSec): void;
  event(code: string, slots: Readonly<Record<string, string | number>>): void;
}

interface Waiting {
  readonly sequence: number;
  readonly message: OutMessage | 'close';
}

interface Link {
  readonly connection: TlsConnection;
  readonly profile: WireProfile;
  readonly digest: DigestKey | undefined;
  waiting: Waiting[];
}

export class Links {
  readonly #events: LinkEvents;
  readonly #links = new Map<string, Link>();
  /** Closed by the engine, with messages that still wait for the disk before the connection ends. */
  readonly #leaving = new Set<Link>();
  readonly #dialling = new Set<string>();
  #isCut = false;
  #isClosed = false;
  durableSequence = 0;

  constructor(events: LinkEvents) {
    this.#events = events;
  }

  dial(name: string): void {
    const relationship = this.#events.relationshipOf(name);
    if (relationship === undefined || this.#dialling.has(name) || this.#isClosed) return;
    if (this.#isCut) {
      queueMicrotask(() => this.#events.failed(name, 'the link was cut by command'));
      return;
    }
    this.#dialling.add(name);
    this.#events.dial(relationship).then(
      (connection) => {
        this.#dialling.delete(name);
        if (this.#isCut || this.#isClosed || this.#events.relationshipOf(name)?.id !== relationship.id)
          connection.close();
        else this.#attach(relationship, connection, true);
      },
      (error: unknown) => {
        this.#dialling.delete(name);
        if (!this.#isClosed) this.#events.failed(name, error instanceof Error ? error.message : String(error));
      },
    );
  }

  /** A connection that the partner opened: its first message must be a CONNECT that names one of our relationships. */
  accept(connection: TlsConnection): void {
    if (this.#isCut || this.#isClosed) {
      connection.close();
      return;
    }
    const framer = new Framer();
    let isTaken = false;
    const timer = setTimeout(() => connection.close(), FIRST_MESSAGE_MS);
    connection.onClose(() => clearTimeout(timer));
    connection.onData((chunk) => {
      framer.push(chunk);
      if (isTaken) return;
      const first = framer.next();
      if (first.kind === 'need-more') return;
      isTaken = true;
      clearTimeout(timer);
      if (first.kind === 'bad') connection.close();
      else this.#takeFirst(connection, first.bytes, framer);
    });
  }

  send(name: string, message: OutMessage, afterSequence: number): void {
    const link = this.#links.get(name);
    if (link === undefined) return;
    if (afterSequence === 0 || (link.waiting.length === 0 && afterSequence <= this.durableSequence))
      this.#write(link, message);
    else if (link.waiting.length >= WAITING_MESSAGES_MAX) link.connection.close();
    else link.waiting.push({ sequence: afterSequence, message });
  }

  /** Closes after the messages before it have left. */
  close(name: string): void {
    const link = this.#links.get(name);
    if (link === undefined) return;
    // The engine has given it up: what still happens on it is no news any more.
    this.#links.delete(name);
    const last = link.waiting.at(-1);
    if (last === undefined) {
      link.connection.close();
      return;
    }
    link.waiting.push({ sequence: last.sequence, message: 'close' });
    this.#leaving.add(link);
  }

  release(sequence: number): void {
    this.durableSequence = sequence;
    for (const link of [...this.#links.values(), ...this.#leaving]) {
      let sent = 0;
      while (sent < link.waiting.length && link.waiting[sent]!.sequence <= sequence) {
        const { message } = link.waiting[sent++]!;
        if (message === 'close') {
          link.connection.close();
          this.#leaving.delete(link);
        } else this.#write(link, message);
      }
      if (sent > 0) link.waiting = link.waiting.slice(sent);
    }
  }

  /** The secret of a relationship was changed: its link comes up anew, with the new one. */
  renew(name: string): void {
    this.#links.get(name)?.connection.close();
  }

  /** Cuts every link and refuses new ones, or lets them come back: for drills and demonstrations. */
  setCut(isCut: boolean): void {
    this.#isCut = isCut;
    if (isCut) for (const link of [...this.#links.values()]) link.connection.close();
  }

  /** At the end of the process: everything is closed at once, with DISCONNECT where it still can be written. */
  closeAll(): void {
    this.#isClosed = true;
    for (const link of this.#links.values()) {
      this.#write(link, { kind: 'disconnect', xid: 0, rejectReason: 'other', message: 'the server stops' });
      link.connection.close();
    }
  }

  #takeFirst(connection: TlsConnection, frame: Uint8Array, framer: Framer, looks = 0): void {
    const connect = peekConnect(frame, 'twinlease');
    if (connect === undefined) {
      connection.close();
      return;
    }
    const { relationshipName = '', xid } = connect;
    const relationship = this.#events.relationshipOf(relationshipName);
    const read =
      relationship === undefined
        ? undefined
        : decodeMessage(frame, relationship.profile, this.#events.digestOf(relationship));
    // A change of the secret, too, reaches the two servers one after the other.
    if (read?.kind !== 'ok' && looks < UNKNOWN_LOOKS_MAX) {
      const timer = setTimeout(() => this.#takeFirst(connection, frame, framer, looks + 1), UNKNOWN_LOOK_MS);
      connection.onClose(() => clearTimeout(timer));
      return;
    }
    if (relationship === undefined || relationship.partnerKey !== connection.peerKey || read?.kind !== 'ok') {
      this.#refuse(connection, relationshipName, xid, read);
      return;
    }
    // The partner opened anew, so it holds the old connection for dead (specification 1.8 step 10).
    const old = this.#links.get(relationship.name);
    if (old !== undefined) {
      this.#links.delete(relationship.name);
      old.connection.close();
      this.#events.closed(relationship.name, 'replaced by a new connection of the partner');
    }
    this.#attach(relationship, connection, false, framer);
    this.#receive(relationship.name, frame);
    this.#drain(relationship.name, framer);
  }

  /** Specification 1.8 step 5. */
  #refuse(connection: TlsConnection, relationshipName: string, xid: number, read: Decoded | undefined): void {
    const isDigest = read?.kind === 'refused';
    const refusal: OutMessage = {
      kind: 'connectack',
      xid,
      relationshipName,
      rejectReason: isDigest ? read.rejectReason : 'invalid-partner',
      message: isDigest ? read.why : 'unknown failover relationship name',
    };
    connection.write(encodeMessage({ ...refusal, sentAt: this.#events.now().wallAt }, 'twinlease'));
    this.#events.event('failover/refused-partner', {
      name: relationshipName,
      reason: isDigest ? read.rejectReason : `no such relationship with ${connection.remoteAddress} here`,
    });
    connection.close();
  }

  #attach(relationship: Relationship, connection: TlsConnection, dialled: boolean, framer = new Framer()): void {
    const { name, profile } = relationship;
    if (this.#links.has(name)) {
      connection.close();
      return;
    }
    const link: Link = { connection, profile, digest: this.#events.digestOf(relationship), waiting: [] };
    this.#links.set(name, link);
    connection.onData((chunk) => {
      if (this.#links.get(name) !== link) return;
      framer.push(chunk);
      this.#drain(name, framer);
    });
    connection.onClose((why) => {
      if (this.#links.get(name) !== link) return;
      this.#links.delete(name);
      if (!this.#isClosed) this.#events.closed(name, why);
    });
    this.#events.connected(name, dialled);
  }

  #drain(name: string, framer: Framer): void {
    for (;;) {
      const link = this.#links.get(name);
      if (link === undefined) return;
      const next = framer.next();
      if (next.kind === 'need-more') return;
      if (next.kind === 'bad') {
        this.#events.event('failover/bad-message', { name, why: next.why });
        link.connection.close();
        return;
      }
      this.#receive(name, next.bytes);
    }
  }

  #receive(name: string, frame: Uint8Array): void {
    const receiving = this.#links.get(name);
    if (receiving === undefined) return;
    const read = decodeMessage(frame, receiving.profile, receiving.digest);
    if (read.kind === 'ignored') return;
    if (read.kind !== 'ok') {
      const why = read.kind === 'bad' ? `${read.why} at byte ${read.at}` : read.why;
      this.#events.event('failover/bad-message', { name, why });
      const link = this.#links.get(name);
      if (link === undefined) return;
      // Specification 1.12: a digest that fails ends the connection, and the reason is told.
      if (read.kind === 'refused')
        this.#write(link, { kind: 'disconnect', xid: 0, rejectReason: read.rejectReason, message: read.why });
      link.connection.close();
      return;
    }
    this.#events.heardTime(read.value.sentAt);
    if (this.#events.isQuarantined(frameFingerprint(frame))) {
      this.#refuseQuarantined(name, read.value);
      return;
    }
    this.#events.message(name, read.value, frame);
  }

  /** This very message ended the process before: its updates are rejected, so that the partner is not left waiting. */
  #refuseQuarantined(name: string, message: FailoverMessage): void {
    this.#events.event('serving/packet-quarantined', { fingerprint: `${message.kind} of ${name}`, count: 1 });
    const link = this.#links.get(name);
    if (link === undefined || message.kind !== 'bndupd') return;
    const answers = message.updates.map(({ address }) => ({
      address,
      rejectReason: 'other' as const,
      message: 'quarantined after a failure',
    }));
    this.#write(link, { kind: 'bndack', xid: message.xid, answers });
  }

  #write(link: Link, message: OutMessage): void {
    link.connection.write(
      encodeMessage({ ...message, sentAt: this.#events.now().wallAt } as FailoverMessage, link.profile, link.digest),
    );
  }
}
