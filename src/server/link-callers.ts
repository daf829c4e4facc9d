/**
 * Failover connections that the partner opened, up to their CONNECT: which relationship it is for, and whether it may be taken. A
 * Twinlease partner is known by its key and names the relationship; a server of another make is known by its address and may
 * have only one. What is not ours gets CONNECTACK with a reason where it can be answered (specification 1.8 step 5), and is closed.
 */
import type { ForeignKind, Relationship } from '../core/config/model.ts';
import type { Connection, PlainConnection, TlsConnection } from '../net/connection.ts';
import { type Decoded, encodeMessage, peekConnect } from '../wire/failover/codec.ts';
import type { DigestKey } from '../wire/failover/digest.ts';
import { Framer } from '../wire/failover/framer.ts';
import type { OutMessage, RejectReason, WireProfile } from '../wire/failover/messages.ts';
import type { Now } from '../wire/units.ts';
import { decodeWith } from './digest-keys.ts';
import { otherDialect } from './foreign-dialect.ts';

/** From an accepted connection to its CONNECT (specification 1.1: limited). */
const FIRST_MESSAGE_MS = 15_000;
/** A partner may call for a relationship a moment before the change that makes it has reached this server. */
export const UNKNOWN_LOOK_MS = 50;
export const UNKNOWN_LOOKS_MAX = 40;

/** A server of another make that calls: how it speaks, and the relationship with it if there is one. */
export interface ForeignCaller {
  readonly kind: ForeignKind;
  readonly relationship: Relationship | undefined;
}

/** A connection whose first message came. */
export interface FirstFrame {
  readonly connection: Connection;
  readonly frame: Uint8Array;
  /** Holds what came after it. */
  readonly framer: Framer;
}

export interface CallerHost {
  now(): Now;
  relationshipOf(name: string): Relationship | undefined;
  digestsOf(relationship: Relationship): readonly DigestKey[] | undefined;
  event(code: string, slots: Readonly<Record<string, string | number>>): void;
  /** The CONNECT is for this relationship and was verified. */
  take(relationship: Relationship, first: FirstFrame): void;
  /** Whether the relationship has a connection that was made good a moment ago. */
  isMet(name: string): boolean;
}

export class LinkCallers {
  readonly #host: CallerHost;

  constructor(host: CallerHost) {
    this.#host = host;
  }

  accept(connection: TlsConnection): void {
    awaitFirst(connection, (first) => this.#takeOwn(connection, first));
  }

  /** A server of another make of which this server is the secondary, or with which it shares nothing. */
  acceptPlain(connection: PlainConnection, caller: ForeignCaller): void {
    awaitFirst(connection, (first) => this.#takeForeign(first, caller));
  }

  #takeOwn(connection: TlsConnection, first: FirstFrame, looks = 0): void {
    const connect = peekConnect(first.frame, 'twinlease');
    if (connect === undefined) {
      connection.close();
      return;
    }
    const { relationshipName = '', xid } = connect;
    const relationship = this.#host.relationshipOf(relationshipName);
    const read = relationship === undefined ? undefined : this.#read(relationship, first.frame);
    // A change of the secret, too, reaches the two servers one after the other.
    if (read?.kind !== 'ok' && looks < UNKNOWN_LOOKS_MAX) {
      const timer = setTimeout(() => this.#takeOwn(connection, first, looks + 1), UNKNOWN_LOOK_MS);
      connection.onClose(() => clearTimeout(timer));
      return;
    }
    if (relationship === undefined || relationship.partnerKey !== connection.peerKey || read?.kind !== 'ok') {
      const refused = read?.kind === 'refused' ? read : undefined;
      this.#refuse(connection, 'twinlease', {
        name: relationshipName,
        xid,
        reason: refused?.rejectReason ?? 'invalid-partner',
        why: refused?.why ?? 'unknown failover relationship name',
        told: refused?.rejectReason ?? `no such relationship with ${connection.remoteAddress} here`,
      });
      return;
    }
    this.#host.take(relationship, first);
  }

  #takeForeign(first: FirstFrame, { kind, relationship }: ForeignCaller): void {
    const { connection } = first;
    const connect = peekConnect(first.frame, kind);
    const known = relationship?.name ?? '';
    const peer = connection.remoteAddress;
    const other = otherDialect(first.frame, kind);
    if (other !== undefined) this.#host.event('failover/foreign-speaks-otherwise', { peer, name: known, ...other });
    if (connect === undefined) {
      const why = `the first message of ${peer} is not a CONNECT that can be read`;
      this.#host.event('failover/foreign-garbled', { peer, name: known, why });
      connection.close();
      return;
    }
    const { relationshipName: name = '', xid } = connect;
    const refuse = (reason: RejectReason, why: string, told: string): void =>
      this.#refuse(connection, kind, { name: name === '' ? known : name, xid, reason, why, told });
    if (relationship === undefined) {
      refuse('invalid-partner', 'unknown failover relationship name', `nothing is shared with ${peer} here`);
      return;
    }
    if (name !== relationship.name) {
      const told = `the relationship with ${peer} is named ${relationship.name} here`;
      refuse('invalid-partner', 'unknown failover relationship name', told);
      return;
    }
    const read = this.#read(relationship, first.frame);
    if (read === undefined || read.kind === 'refused') {
      const reason = read?.rejectReason ?? 'digest-not-configured';
      refuse(reason, 'message digest', read === undefined ? 'its shared secret is missing here' : reason);
      return;
    }
    if (read.kind !== 'ok') {
      connection.close();
      return;
    }
    // The loser of two calls that met; the partner keeps the one on which CONNECT was accepted.
    if (this.#host.isMet(relationship.name)) {
      // Specification 2.4: dhcpd, too, closes the second of two without a word.
      if (kind !== 'isc')
        this.#answer(connection, kind, { name, xid, reason: 'duplicate-connection', why: 'already connected' });
      connection.close();
      return;
    }
    this.#host.take(relationship, first);
  }

  #read(relationship: Relationship, frame: Uint8Array): Decoded | undefined {
    const digests = this.#host.digestsOf(relationship);
    if (digests === undefined && relationship.profile !== 'twinlease') return undefined;
    return decodeWith(frame, relationship.profile, digests ?? []).read;
  }

  #refuse(connection: Connection, profile: WireProfile, refusal: Refusal & { readonly told: string }): void {
    this.#answer(connection, profile, refusal);
    this.#host.event('failover/refused-partner', { name: refusal.name, reason: refusal.told });
    connection.close();
  }

  #answer(connection: Connection, profile: WireProfile, { name, xid, reason, why }: Refusal): void {
    const answer: OutMessage = {
      kind: 'connectack',
      xid,
      relationshipName: name,
      rejectReason: reason,
      message: why,
    };
    connection.write(encodeMessage({ ...answer, sentAt: this.#host.now().wallAt }, profile));
  }
}

interface Refusal {
  readonly name: string;
  readonly xid: number;
  readonly reason: RejectReason;
  readonly why: string;
}

/** Calls back with the first message; closes when none comes in time, or what comes is none. */
function awaitFirst(connection: Connection, take: (first: FirstFrame) => void): void {
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
    else take({ connection, frame: first.bytes, framer });
  });
}
