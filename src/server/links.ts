/**
 * The failover connections: one for each relationship at most. Cuts frames, reads and writes messages, and lets a message
 * leave only when the commit it rests on is durable; the rules are the engine's (`core/failover`). How the first message of a
 * connection that was accepted finds its relationship is in `link-callers.ts`.
 */
import type { Relationship } from '../core/config/model.ts';
import type { Connection, PlainConnection, TlsConnection } from '../net/connection.ts';
import { encodeMessage } from '../wire/failover/codec.ts';
import type { DigestKey } from '../wire/failover/digest.ts';
import { Framer } from '../wire/failover/framer.ts';
import type { FailoverMessage, OutMessage, WireProfile } from '../wire/failover/messages.ts';
import type { EpochSec, Now } from '../wire/units.ts';
import { decodeWith } from './digest-keys.ts';
import { otherDialect } from './foreign-dialect.ts';
import { type FirstFrame, type ForeignCaller, LinkCallers } from './link-callers.ts';
import { frameFingerprint } from './quarantine.ts';

export { UNKNOWN_LOOK_MS, UNKNOWN_LOOKS_MAX } from './link-callers.ts';

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
  /** The server of another make that calls from this address, and the relationship with it if there is one. */
  foreignAt(address: string): ForeignCaller | undefined;
  /**
   * How messages are authenticated: empty where there is no shared secret, several while the partner's way is not known.
   * Undefined when there is a secret but it is missing here.
   */
  digestsOf(relationship: Relationship): readonly DigestKey[] | undefined;
  /** Whether the present connection is so quiet that a new one of the partner may take its place (specification 1.8 step 10). */
  mayReplace(relationship: string): boolean;
  /** The partner's way of authenticating was found: to be kept with the relationship. */
  digestFound(relationship: Relationship, keyName: string): void;
  dial(relationship: Relationship): Promise<Connection>;
  isQuarantined(fingerprint: string): boolean;
  heardTime(at: EpochSec): void;
  event(code: string, slots: Readonly<Record<string, string | number>>): void;
}

interface Waiting {
  readonly sequence: number;
  readonly message: OutMessage | 'close';
}

interface Link {
  /** Another one takes its place when the partner chose the other of two that met. */
  connection: Connection;
  readonly relationship: Relationship;
  readonly profile: WireProfile;
  /** More than one only until a message of the partner was verified. */
  digests: readonly DigestKey[];
  waiting: Waiting[];
  /** Our CONNECT, while it has no answer. */
  connect: OutMessage | undefined;
  /** The second of two connections that met, with the same CONNECT sent on it. */
  spare: Connection | undefined;
  /** CONNECT was accepted. */
  isEstablished: boolean;
}

export class Links {
  readonly #events: LinkEvents;
  readonly #callers: LinkCallers;
  readonly #links = new Map<string, Link>();
  /** Closed by the engine, with messages that still wait for the disk before the connection ends. */
  readonly #leaving = new Set<Link>();
  readonly #dialling = new Set<string>();
  /** Closed by the engine, with bytes that may not have left yet. */
  readonly #ending = new Set<Connection>();
  #onEnded: (() => void) | undefined;
  /** Connections on which another way of authenticating was tried, by relationship. */
  readonly #digestTrials = new Map<string, number>();
  #isCut = false;
  #isClosed = false;
  durableSequence = 0;

  constructor(events: LinkEvents) {
    this.#events = events;
    this.#callers = new LinkCallers({
      now: () => events.now(),
      relationshipOf: (name) => events.relationshipOf(name),
      digestsOf: (relationship) => events.digestsOf(relationship),
      event: (code, slots) => events.event(code, slots),
      take: (relationship, first) => this.#take(relationship, first),
      isMet: (name) => this.#isMet(this.#links.get(name)),
    });
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
        else if (this.#links.has(name)) this.#meet(relationship, connection);
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
    if (this.#isCut || this.#isClosed) connection.close();
    else this.#callers.accept(connection);
  }

  /** The same from a server of another make, which is known by the address it calls from. */
  acceptPlain(connection: PlainConnection): void {
    const caller = this.#events.foreignAt(connection.remoteAddress);
    if (this.#isCut || this.#isClosed || caller === undefined) {
      connection.close();
      return;
    }
    const { relationship } = caller;
    if (relationship?.role !== 'primary') {
      this.#callers.acceptPlain(connection, caller);
      return;
    }
    // Specification 1.1: dhcpd as secondary waits for CONNECT on whichever connection comes up.
    if (relationship.profile === 'isc') {
      if (this.#links.has(relationship.name)) this.#meet(relationship, connection);
      else this.#attach(relationship, connection, false);
      return;
    }
    // draft-12: to a primary an incoming connection is only a hint that the secondary is up.
    connection.close();
    if (!this.#links.has(relationship.name)) this.dial(relationship.name);
  }

  send(name: string, message: OutMessage, afterSequence: number): void {
    const link = this.#links.get(name);
    if (link === undefined) return;
    // From now on this is the connection, though the disk may take its time until the answer leaves.
    if (message.kind === 'connectack' && message.rejectReason === undefined) this.#established(link);
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
    link.spare?.close();
    const last = link.waiting.at(-1);
    if (last === undefined) {
      this.#end(link.connection);
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
          this.#leaving.delete(link);
          this.#end(link.connection);
        } else this.#write(link, message);
      }
      if (sent > 0) link.waiting = link.waiting.slice(sent);
    }
  }

  /** Resolves when what was closed has ended, with all that was written before; after the time in any case. */
  async ended(timeoutMs: number): Promise<void> {
    if (this.#ending.size === 0 && this.#leaving.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#onEnded = () => {
        if (this.#ending.size > 0 || this.#leaving.size > 0) return;
        clearTimeout(timer);
        resolve();
      };
    });
    this.#onEnded = undefined;
  }

  #end(connection: Connection): void {
    this.#ending.add(connection);
    connection.close();
  }

  /** The secret of a relationship was changed, or what a CONNECT tells: its link comes up anew. */
  renew(name: string): void {
    const link = this.#links.get(name);
    this.#digestTrials.delete(name);
    if (link === undefined) {
      this.#callAnew(name);
      return;
    }
    if (link.profile === 'twinlease') {
      link.connection.close();
      return;
    }
    this.#drop(link, 'opened anew, because what is told at its beginning has changed');
    if (link.relationship.role === 'primary') this.dial(name);
  }

  /** What another make had refused may be accepted now, so the next attempt does not wait for its time. Windows as primary calls us. */
  #callAnew(name: string): void {
    const relationship = this.#events.relationshipOf(name);
    if (relationship === undefined || relationship.profile === 'twinlease') return;
    if (relationship.role === 'primary' || relationship.profile !== 'msft') this.dial(name);
  }

  /** Cuts every link and refuses new ones, or lets them come back: for drills and demonstrations. */
  setCut(isCut: boolean): void {
    this.#isCut = isCut;
    if (!isCut) return;
    for (const link of [...this.#links.values()]) {
      link.spare?.close();
      link.spare = undefined;
      link.connection.close();
    }
  }

  /** At the end of the process: everything is closed at once, with DISCONNECT where it still can be written and is heeded. */
  closeAll(): void {
    this.#isClosed = true;
    for (const link of this.#links.values()) {
      link.spare?.close();
      // Specification 1.14: Windows drops it. dhcpd itself stops without one, and reports it as an unknown error.
      if (link.profile !== 'msft' && link.profile !== 'isc')
        this.#write(link, { kind: 'disconnect', xid: 0, rejectReason: 'other', message: 'the server stops' });
      link.connection.close();
    }
  }

  /** The partner called and its CONNECT is good: it holds an older connection for dead (specification 1.8 step 10). */
  #take(relationship: Relationship, first: FirstFrame): void {
    const { name } = relationship;
    this.#dropOld(name);
    this.#attach(relationship, first.connection, false, first.framer);
    this.#receive(name, first.frame);
    this.#drain(name, first.framer);
  }

  #dropOld(name: string): void {
    const old = this.#links.get(name);
    if (old !== undefined) this.#drop(old, 'replaced by a new connection of the partner');
  }

  /** The engine hears of it before anything else happens on the relationship. */
  #drop(link: Link, why: string): void {
    const { name } = link.relationship;
    this.#links.delete(name);
    link.spare?.close();
    link.connection.close();
    this.#events.closed(name, why);
  }

  /** Whether there is a good connection, so that a second one is the loser of two that met. */
  #isMet(link: Link | undefined): boolean {
    return link?.isEstablished === true && !this.#events.mayReplace(link.relationship.name);
  }

  /**
   * A second connection with dhcpd. Specification 1.1: the primary sends CONNECT on both, and the secondary accepts the first that
   * it reads and closes the other. The secondary waits for CONNECT on both.
   */
  #meet(relationship: Relationship, connection: Connection): void {
    const link = this.#links.get(relationship.name);
    if (link === undefined || link.profile === 'twinlease' || this.#isMet(link) || link.spare !== undefined) {
      connection.close();
    } else if (link.isEstablished) {
      this.#dropOld(relationship.name);
      this.#attach(relationship, connection, false);
    } else this.#holdSpare(link, connection);
  }

  #holdSpare(link: Link, connection: Connection): void {
    link.spare = connection;
    this.#wire(link, connection, new Framer());
    if (link.connect !== undefined) connection.write(this.#encode(link, link.connect));
  }

  #attach(relationship: Relationship, connection: Connection, dialled: boolean, framer = new Framer()): void {
    const { name, profile } = relationship;
    const digests = this.#events.digestsOf(relationship);
    if (this.#links.has(name) || (digests === undefined && profile !== 'twinlease')) {
      connection.close();
      if (!this.#links.has(name)) this.#events.failed(name, 'the shared secret is missing here');
      return;
    }
    const link: Link = {
      connection,
      relationship,
      profile,
      digests: this.#inTrialOrder(name, digests ?? []),
      waiting: [],
      connect: undefined,
      spare: undefined,
      isEstablished: false,
    };
    this.#links.set(name, link);
    this.#wire(link, connection, framer);
    this.#events.connected(name, dialled);
  }

  /** Specification 3.6: who has to send first tries the ways on successive connections. */
  #inTrialOrder(name: string, digests: readonly DigestKey[]): readonly DigestKey[] {
    if (digests.length < 2) return digests;
    const trial = this.#digestTrials.get(name) ?? 0;
    this.#digestTrials.set(name, trial + 1);
    const from = trial % digests.length;
    return [...digests.slice(from), ...digests.slice(0, from)];
  }

  #wire(link: Link, connection: Connection, framer: Framer): void {
    const { name } = link.relationship;
    const isOf = (): boolean =>
      this.#links.get(name) === link && (link.connection === connection || link.spare === connection);
    connection.onData((chunk) => {
      if (!isOf()) return;
      framer.push(chunk);
      this.#drain(name, framer, connection);
    });
    connection.onClose((why) => {
      this.#ending.delete(connection);
      for (const leaving of this.#leaving) if (leaving.connection === connection) this.#leaving.delete(leaving);
      this.#onEnded?.();
      if (!isOf()) return;
      if (link.spare === connection) link.spare = undefined;
      // Of two that met the partner has closed this one, so the other is the one it chose.
      else if (link.spare !== undefined && !link.isEstablished) this.#choose(link, link.spare);
      else {
        link.spare?.close();
        this.#links.delete(name);
        if (!this.#isClosed) this.#events.closed(name, why);
      }
    });
  }

  /** The engine knows nothing of it: to it this is the connection on which its CONNECT was sent. */
  #choose(link: Link, chosen: Connection): void {
    const other = link.connection === chosen ? link.spare : link.connection;
    link.connection = chosen;
    link.spare = undefined;
    other?.close();
  }

  #drain(name: string, framer: Framer, connection?: Connection): void {
    for (;;) {
      const link = this.#links.get(name);
      if (link === undefined) return;
      const next = framer.next();
      if (next.kind === 'need-more') return;
      if (connection !== undefined && link.connection !== connection) {
        // The partner speaks on the second connection: it has chosen that one, unless the first is made good already.
        if (link.spare !== connection || link.isEstablished) {
          connection.close();
          return;
        }
        this.#choose(link, connection);
      }
      if (next.kind === 'bad') {
        this.#events.event('failover/bad-message', { name, why: next.why });
        link.connection.close();
        return;
      }
      this.#receive(name, next.bytes);
    }
  }

  #receive(name: string, frame: Uint8Array): void {
    const link = this.#links.get(name);
    if (link === undefined) return;
    if (link.profile !== 'twinlease' && !link.isEstablished && link.connect !== undefined)
      this.#askDialect(link, frame);
    const { read, key } = decodeWith(frame, link.profile, link.digests);
    if (read.kind === 'ignored') return;
    if (read.kind !== 'ok') {
      const why = read.kind === 'bad' ? `${read.why} at byte ${read.at}` : read.why;
      this.#events.event('failover/bad-message', { name, why });
      // Specification 1.12: a digest that fails ends the connection, and the reason is told.
      if (read.kind === 'refused' && link.profile !== 'msft')
        this.#write(link, { kind: 'disconnect', xid: 0, rejectReason: read.rejectReason, message: read.why });
      link.connection.close();
      return;
    }
    if (key !== undefined && link.digests.length > 1) this.#keepDigest(link, key);
    this.#events.heardTime(read.value.sentAt);
    if (this.#events.isQuarantined(frameFingerprint(frame))) {
      this.#refuseQuarantined(name, read.value);
      return;
    }
    if (read.value.kind === 'connectack' && read.value.rejectReason === undefined) this.#established(link);
    this.#events.message(name, read.value, frame);
  }

  /** Of the answer to our CONNECT. */
  #askDialect({ connection, relationship, profile }: Link, frame: Uint8Array): void {
    const other = otherDialect(frame, profile);
    if (other === undefined) return;
    const slots = { peer: connection.remoteAddress, name: relationship.name, ...other };
    this.#events.event('failover/foreign-speaks-otherwise', slots);
  }

  #keepDigest(link: Link, key: DigestKey): void {
    link.digests = [key];
    this.#digestTrials.delete(link.relationship.name);
    this.#events.digestFound(link.relationship, key.name);
  }

  #established(link: Link): void {
    if (link.isEstablished) return;
    link.isEstablished = true;
    link.connect = undefined;
    link.spare?.close();
    link.spare = undefined;
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
    if (message.kind === 'connect') link.connect = message;
    const bytes = this.#encode(link, message);
    link.connection.write(bytes);
    if (message.kind === 'connect') link.spare?.write(bytes);
  }

  #encode(link: Link, message: OutMessage): Uint8Array {
    const stamped = { ...message, sentAt: this.#events.now().wallAt } as FailoverMessage;
    return encodeMessage(stamped, link.profile, link.digests[0]);
  }
}
