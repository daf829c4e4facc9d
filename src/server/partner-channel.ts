/**
 * The management channel between two introduced servers (ALPN `twinlease-manage/1`): calls and answers as JSON frames over
 * mutually authenticated TLS 1.3, and the introduction itself, the only call that an unknown key may make.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Partner } from '../core/config/model.ts';
import type { Problem } from '../core/problems/problem.ts';
import type { TlsConnection } from '../net/connection.ts';
import { type JsonChannel, jsonChannel } from '../net/json-frames.ts';
import type { EpochSec } from '../wire/units.ts';
import type { PartnerAnswer } from './control.ts';

/** Calls of one partner being answered at one time. */
const CALLS_AT_ONCE_MAX = 64;
/** Design, part 5 "Trust". */
export const INVITATION_LIFE_SEC = 600;
export const INVITATION_TRIES_MAX = 5;
/** From the call to the inviter's answer. */
const INTRODUCTION_MS = 10_000;
const EXPORTER_LABEL = 'EXPORTER-twinlease-pairing';

export interface ChannelHost {
  dial(target: { readonly host: string; readonly port: number; readonly expectKey: string }): Promise<TlsConnection>;
  partnerOf(key: string): Partner | undefined;
  handle(
    partner: Partner,
    method: string,
    params: unknown,
  ): Promise<{ kind: 'ok'; value: unknown } | { kind: 'failed'; problem: Problem }>;
  nowSec(): number;
  ownKey(): string;
  readonly serverName: string;
  /** Port of our own door, told to the other side when introduced. */
  doorPort(): number;
  /** Durably adds the partner to the configuration. */
  adopt(partner: Partner): Promise<void>;
  event(code: string, slots: Readonly<Record<string, string | number>>): void;
}

interface Pending {
  resolve(answer: PartnerAnswer): void;
  readonly timer: NodeJS.Timeout;
}

interface Outgoing {
  readonly channel: Promise<JsonChannel>;
  readonly pending: Map<number, Pending>;
  /** No new call uses it; it closes after the last answer. */
  isRetired: boolean;
}

interface Invitation {
  readonly secret: Buffer;
  readonly expiresAt: number;
  tries: number;
}

export class PartnerChannel {
  readonly #host: ChannelHost;
  readonly #outgoing = new Map<string, Outgoing>();
  readonly #incoming = new Set<TlsConnection>();
  #invitation: Invitation | undefined;
  #isCut = false;
  #nextId = 1;

  constructor(host: ChannelHost) {
    this.#host = host;
  }

  /** Whether a connection with an unknown key may be accepted now. */
  get isPairingOpen(): boolean {
    return (
      this.#invitation !== undefined &&
      this.#invitation.expiresAt > this.#host.nowSec() &&
      this.#invitation.tries < INVITATION_TRIES_MAX
    );
  }

  async call(partner: Partner, method: string, params: unknown, timeoutMs: number): Promise<PartnerAnswer> {
    if (this.#isCut) return { kind: 'unreachable', why: 'the link was cut by command', mayHaveArrived: false };
    const outgoing = this.#outgoingTo(partner);
    let channel: JsonChannel;
    try {
      channel = await outgoing.channel;
    } catch (error) {
      // Several calls may have waited for this dial, and one of them may have begun a new one by now.
      if (this.#outgoing.get(partner.key) === outgoing) this.#outgoing.delete(partner.key);
      return {
        kind: 'unreachable',
        why: error instanceof Error ? error.message : String(error),
        mayHaveArrived: false,
      };
    }
    const id = this.#nextId++;
    return await new Promise((resolve) => {
      const timer = setTimeout(() => {
        outgoing.pending.delete(id);
        channel.close();
        resolve({ kind: 'unreachable', why: `no answer within ${timeoutMs} ms`, mayHaveArrived: true });
      }, timeoutMs);
      outgoing.pending.set(id, { resolve, timer });
      if (channel.send({ id, method, params })) return;
      outgoing.pending.delete(id);
      clearTimeout(timer);
      resolve({ kind: 'unreachable', why: 'the request is larger than a frame', mayHaveArrived: false });
    });
  }

  /** A connection that a partner, or a server to be introduced, opened. */
  accept(connection: TlsConnection): void {
    if (this.#isCut) {
      connection.close();
      return;
    }
    this.#incoming.add(connection);
    let underWay = 0;
    const onValue = (value: unknown): void => {
      const request = readRequest(value);
      if (request === undefined || underWay >= CALLS_AT_ONCE_MAX) {
        connection.close('not a call, or too many at once');
        return;
      }
      underWay++;
      this.#answer(connection, request)
        .catch((error: unknown) => {
          this.#host.event('server/partner-call-failed', {
            method: request.method,
            why: error instanceof Error ? error.message : String(error),
          });
          return { kind: 'failed' as const, problem: { code: 'server/internal', slots: {} } };
        })
        .then((answer) => {
          underWay--;
          channel.send({ id: request.id, ...answer });
        });
    };
    const channel = jsonChannel(connection, { onValue, onClose: () => this.#incoming.delete(connection) });
  }

  setCut(isCut: boolean): void {
    this.#isCut = isCut;
    if (isCut) this.close();
  }

  close(): void {
    for (const connection of [...this.#incoming]) connection.close();
    for (const outgoing of this.#outgoing.values())
      outgoing.channel.then(
        (channel) => channel.close(),
        () => undefined,
      );
    this.#outgoing.clear();
  }

  /** The next call to each partner opens a new connection, with the identity of then; calls under way keep theirs. */
  reconnect(): void {
    for (const outgoing of this.#outgoing.values()) {
      outgoing.isRetired = true;
      outgoing.channel.then(
        (channel) => closeIfDone(outgoing, channel),
        () => undefined,
      );
    }
    this.#outgoing.clear();
  }

  /** A new one-time code; an older one is void. The code holds the secret and our key, and shows neither to anyone but its reader. */
  invite(): { readonly code: string; readonly expiresAt: EpochSec } {
    const secret = randomBytes(16);
    const expiresAt = this.#host.nowSec() + INVITATION_LIFE_SEC;
    this.#invitation = { secret, expiresAt, tries: 0 };
    return {
      code: Buffer.concat([secret, Buffer.from(this.#host.ownKey(), 'hex')]).toString('base64url'),
      expiresAt: expiresAt as EpochSec,
    };
  }

  async acceptInvitation(
    code: string,
    host: string,
    port: number,
  ): Promise<{ kind: 'ok'; partner: Partner } | { kind: 'failed'; problem: Problem }> {
    const bytes = Buffer.from(code, 'base64url');
    if (bytes.length !== 48) return { kind: 'failed', problem: { code: 'pair/code-malformed', slots: {} } };
    const secret = bytes.subarray(0, 16);
    const key = bytes.subarray(16).toString('hex');
    if (key === this.#host.ownKey()) return { kind: 'failed', problem: { code: 'pair/own-code', slots: {} } };
    let connection: TlsConnection;
    try {
      connection = await this.#host.dial({ host, port, expectKey: key });
    } catch (error) {
      return {
        kind: 'failed',
        problem: {
          code: 'pair/unreachable',
          slots: { host, port, why: error instanceof Error ? error.message : String(error) },
        },
      };
    }
    try {
      return await this.#introduce(connection, secret, { key, host, port });
    } finally {
      connection.close();
    }
  }

  async #introduce(
    connection: TlsConnection,
    secret: Buffer,
    target: { key: string; host: string; port: number },
  ): Promise<{ kind: 'ok'; partner: Partner } | { kind: 'failed'; problem: Problem }> {
    const exported = connection.exporter(EXPORTER_LABEL);
    const answer = await new Promise<unknown>((resolve) => {
      const timer = setTimeout(() => resolve(undefined), INTRODUCTION_MS);
      const settle = (value: unknown): void => {
        clearTimeout(timer);
        resolve(value);
      };
      const channel = jsonChannel(connection, { onValue: settle, onClose: () => settle(undefined) });
      const params = {
        proof: proof(secret, exported, 'accept', this.#host.ownKey()),
        name: this.#host.serverName,
        port: this.#host.doorPort(),
      };
      channel.send({ id: 1, method: 'pair', params });
    });
    const value = answer as
      | { kind?: unknown; value?: { proof?: unknown; name?: unknown }; problem?: Problem }
      | undefined;
    if (value?.kind === 'failed' && value.problem !== undefined) return { kind: 'failed', problem: value.problem };
    if (value?.kind !== 'ok' || !isProof(value.value?.proof, proof(secret, exported, 'invite', target.key))) {
      return { kind: 'failed', problem: { code: 'pair/refused', slots: { host: target.host, port: target.port } } };
    }
    const partner: Partner = {
      key: target.key,
      name: String(value.value?.name ?? target.host),
      host: target.host,
      port: target.port,
    };
    await this.#host.adopt(partner);
    return { kind: 'ok', partner };
  }

  async #answer(
    connection: TlsConnection,
    request: Request,
  ): Promise<{ kind: 'ok'; value: unknown } | { kind: 'failed'; problem: Problem }> {
    const partner = this.#host.partnerOf(connection.peerKey);
    if (request.method === 'pair') return await this.#takePairing(connection, request.params);
    if (partner === undefined)
      return { kind: 'failed', problem: { code: 'pair/not-introduced', slots: { peer: connection.remoteAddress } } };
    return await this.#host.handle(partner, request.method, request.params);
  }

  async #takePairing(
    connection: TlsConnection,
    params: unknown,
  ): Promise<{ kind: 'ok'; value: unknown } | { kind: 'failed'; problem: Problem }> {
    const invitation = this.#invitation;
    if (!this.isPairingOpen || invitation === undefined)
      return { kind: 'failed', problem: { code: 'pair/no-invitation', slots: {} } };
    const exported = connection.exporter(EXPORTER_LABEL);
    const asked = params as { proof?: unknown; name?: unknown; port?: unknown };
    if (!isProof(asked.proof, proof(invitation.secret, exported, 'accept', connection.peerKey))) {
      invitation.tries++;
      this.#host.event('pair/wrong-code', {
        peer: connection.remoteAddress,
        triesLeft: INVITATION_TRIES_MAX - invitation.tries,
      });
      return {
        kind: 'failed',
        problem: {
          code: 'pair/wrong-code',
          slots: { peer: connection.remoteAddress, triesLeft: INVITATION_TRIES_MAX - invitation.tries },
        },
      };
    }
    const port = Number(asked.port);
    if (!Number.isInteger(port) || port < 1 || port > 65535)
      return { kind: 'failed', problem: { code: 'pair/code-malformed', slots: {} } };
    this.#invitation = undefined;
    await this.#host.adopt({
      key: connection.peerKey,
      name: String(asked.name ?? '').slice(0, 253),
      host: connection.remoteAddress,
      port,
    });
    return {
      kind: 'ok',
      value: { proof: proof(invitation.secret, exported, 'invite', this.#host.ownKey()), name: this.#host.serverName },
    };
  }

  #outgoingTo(partner: Partner): Outgoing {
    const present = this.#outgoing.get(partner.key);
    if (present !== undefined) return present;
    const pending = new Map<number, Pending>();
    const channel = this.#host
      .dial({ host: partner.host, port: partner.port, expectKey: partner.key })
      .then((connection) =>
        jsonChannel(connection, {
          onValue: (value) => {
            takeAnswer(pending, value);
            if (outgoing.isRetired) void outgoing.channel.then((opened) => closeIfDone(outgoing, opened));
          },
          onClose: (why) => {
            if (this.#outgoing.get(partner.key) === outgoing) this.#outgoing.delete(partner.key);
            for (const { resolve, timer } of pending.values()) {
              clearTimeout(timer);
              resolve({ kind: 'unreachable', why, mayHaveArrived: true });
            }
            pending.clear();
          },
        }),
      );
    const outgoing: Outgoing = { channel, pending, isRetired: false };
    this.#outgoing.set(partner.key, outgoing);
    return outgoing;
  }
}

function closeIfDone(outgoing: Outgoing, channel: JsonChannel): void {
  if (outgoing.pending.size === 0) channel.close();
}

interface Request {
  readonly id: number;
  readonly method: string;
  readonly params: unknown;
}

function readRequest(value: unknown): Request | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { id, method, params } = value as Record<string, unknown>;
  return typeof id === 'number' && typeof method === 'string' ? { id, method, params } : undefined;
}

function takeAnswer(pending: Map<number, Pending>, value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  const answer = value as Record<string, unknown>;
  const waiting = typeof answer['id'] === 'number' ? pending.get(answer['id']) : undefined;
  if (waiting === undefined) return;
  pending.delete(answer['id'] as number);
  clearTimeout(waiting.timer);
  if (answer['kind'] === 'ok') waiting.resolve({ kind: 'ok', value: answer['value'] });
  else waiting.resolve({ kind: 'failed', problem: answer['problem'] as Problem });
}

/** Binds the secret to this very TLS session and to one side of it, so that nobody in between can pass it on. */
function proof(secret: Buffer, exported: Uint8Array, side: 'accept' | 'invite', key: string): string {
  return createHmac('sha256', secret).update(exported).update(side).update(key).digest('hex');
}

function isProof(given: unknown, wanted: string): boolean {
  if (typeof given !== 'string') return false;
  const a = Buffer.from(given);
  const b = Buffer.from(wanted);
  return a.length === b.length && timingSafeEqual(a, b);
}
