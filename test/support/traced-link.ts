/**
 * The failover messages in a traced run: what went over the TLS connections of a server, made readable with the secrets that
 * Node logged (RFC 8446 5.2, 7.3), and where in the trace each message lies.
 */
import assert from 'node:assert/strict';
import { createDecipheriv, createHmac } from 'node:crypto';
import { decodeMessage } from '../../src/wire/failover/codec.ts';
import type { FailoverMessage } from '../../src/wire/failover/messages.ts';
import type { TracedCall } from './traced-server.ts';

export interface TracedMessage {
  readonly socket: string;
  readonly direction: 'sent' | 'received';
  readonly message: FailoverMessage;
  /** The first call that carries a part of it had begun, and the last one had ended. */
  readonly beganAt: number;
  readonly endedAt: number;
}

interface Piece {
  readonly bytes: Buffer;
  readonly beganAt: number;
  readonly endedAt: number;
}

interface Key {
  readonly key: Buffer;
  readonly nonce: Buffer;
}

const RECORD_HEAD_BYTES = 5;
const TAG_BYTES = 16;
const APPLICATION_DATA = 23;
/** Of TLS_AES_256_GCM_SHA384, which two Node processes agree on. */
const SECRET_BYTES = 48;
const LINK_PROTOCOL = 'twinlease-link/1';

/** Every message on the failover links, in the order of each stream. */
export function tracedMessages(calls: readonly TracedCall[], secrets: string): readonly TracedMessage[] {
  const logged = [...secrets.matchAll(/^(?:CLIENT|SERVER)_TRAFFIC_SECRET_0 [0-9a-f]+ ([0-9a-f]+)$/gm)];
  const keys = logged.map((found) => keyOf(Buffer.from(found[1] ?? '', 'hex')));
  const streams = new Map<string, { readonly sent: Piece[]; readonly received: Piece[] }>();
  for (const call of calls) {
    if (!call.target.startsWith('socket:') || !/^(?:read|write|writev)$/.test(call.name)) continue;
    const stream = streams.get(call.target) ?? { sent: [], received: [] };
    streams.set(call.target, stream);
    // A write can take less than it was given; the rest comes again.
    const bytes = Buffer.concat(call.parts).subarray(0, call.result);
    (call.name === 'read' ? stream.received : stream.sent).push({
      bytes,
      beganAt: call.beganAt,
      endedAt: call.endedAt,
    });
  }
  const messages: TracedMessage[] = [];
  for (const [socket, { sent, received }] of streams) {
    // The client's first record offers the protocol in clear.
    if (![sent, received].some(([first]) => first?.bytes.includes(LINK_PROTOCOL))) continue;
    for (const found of messagesOf(decrypted(sent, keys))) messages.push({ ...found, socket, direction: 'sent' });
    for (const found of messagesOf(decrypted(received, keys)))
      messages.push({ ...found, socket, direction: 'received' });
  }
  return messages;
}

function keyOf(secret: Buffer): Key {
  assert.equal(secret.length, SECRET_BYTES, 'a cipher that this reader does not know');
  return { key: expandLabel(secret, 'key', 32), nonce: expandLabel(secret, 'iv', 12) };
}

/** RFC 8446 7.1, for lengths that one block of the hash covers. */
function expandLabel(secret: Buffer, label: string, length: number): Buffer {
  const full = Buffer.from(`tls13 ${label}`, 'latin1');
  const info = Buffer.concat([Buffer.of(0, length, full.length), full, Buffer.of(0, 1)]);
  return createHmac('sha384', secret).update(info).digest().subarray(0, length);
}

/** The application's bytes of one direction. Records of the handshake have other keys and are passed over. */
function decrypted(pieces: readonly Piece[], keys: readonly Key[]): Piece[] {
  const plain: Piece[] = [];
  let key: Key | undefined;
  let sequence = 0;
  for (const record of cut(pieces, (bytes) =>
    bytes.length < RECORD_HEAD_BYTES ? undefined : RECORD_HEAD_BYTES + bytes.readUInt16BE(3),
  )) {
    if (record.bytes[0] !== APPLICATION_DATA) continue;
    const fitting = (key === undefined ? keys : [key]).find(
      (candidate) => opened(record.bytes, candidate, sequence) !== undefined,
    );
    assert.ok(fitting !== undefined || key === undefined, 'a record that its key does not open');
    if (fitting === undefined) continue;
    key = fitting;
    const content = opened(record.bytes, key, sequence++);
    if (content?.type === APPLICATION_DATA) plain.push({ ...record, bytes: content.bytes });
  }
  return plain;
}

/** RFC 8446 5.2, 5.3. */
function opened(
  record: Buffer,
  { key, nonce }: Key,
  sequence: number,
): { readonly type: number; readonly bytes: Buffer } | undefined {
  const own = Buffer.from(nonce);
  own.writeUInt32BE((own.readUInt32BE(8) ^ sequence) >>> 0, 8);
  const decipher = createDecipheriv('aes-256-gcm', key, own);
  decipher.setAAD(record.subarray(0, RECORD_HEAD_BYTES));
  decipher.setAuthTag(record.subarray(-TAG_BYTES));
  try {
    const inner = Buffer.concat([decipher.update(record.subarray(RECORD_HEAD_BYTES, -TAG_BYTES)), decipher.final()]);
    let end = inner.length;
    while (end > 0 && inner[end - 1] === 0) end--;
    return { type: inner[end - 1] ?? 0, bytes: inner.subarray(0, Math.max(end - 1, 0)) };
  } catch {
    return undefined;
  }
}

function messagesOf(
  pieces: readonly Piece[],
): { readonly message: FailoverMessage; readonly beganAt: number; readonly endedAt: number }[] {
  return cut(pieces, (bytes) => (bytes.length < 2 ? undefined : bytes.readUInt16BE(0))).flatMap(
    ({ bytes, beganAt, endedAt }) => {
      const read = decodeMessage(bytes, 'twinlease');
      return read.kind === 'ok' ? [{ message: read.value, beganAt, endedAt }] : [];
    },
  );
}

/** Cuts a stream into units whose length stands at their start, and says between which calls each lies. */
function cut(pieces: readonly Piece[], lengthOf: (bytes: Buffer) => number | undefined): Piece[] {
  const units: Piece[] = [];
  let pending: Buffer = Buffer.alloc(0);
  let beganAt = 0;
  for (const piece of pieces) {
    if (pending.length === 0) beganAt = piece.beganAt;
    pending = Buffer.concat([pending, piece.bytes]);
    for (;;) {
      const length = lengthOf(pending);
      if (length === undefined || length < 1 || length > pending.length) break;
      units.push({ bytes: pending.subarray(0, length), beganAt, endedAt: piece.endedAt });
      pending = pending.subarray(length);
      beganAt = piece.beganAt;
    }
  }
  return units;
}
