/**
 * Frames of the manage channel between two servers: a length of four octets, most significant first, and so many octets of UTF-8
 * JSON. What the values mean is not known here. Input that breaks a rule ends the channel, because nothing after it can be trusted.
 */
import { type Bad, bad, ok, type Read } from '../wire/units.ts';
import type { Connection } from './connection.ts';

export const JSON_FRAME_BYTES_MAX = 16 * 1024 * 1024;
const LENGTH_BYTES = 4;
/** The buffer of a frame starts at most this large, and grows only with what really comes. */
const FIRST_BUFFER_BYTES = 16 * 1024;

/** What came out of some bytes: the values before the first bad frame, and that frame's fault. */
export interface JsonFrames {
  readonly values: readonly unknown[];
  readonly fault: Bad | undefined;
}

/** Puts frames together from a stream cut anywhere. After a fault it answers that fault for ever. */
export class JsonFrameReader {
  private readonly decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  private readonly header = Buffer.alloc(LENGTH_BYTES);
  private headerLength = 0;
  private body = Buffer.alloc(0);
  private bodyLength = 0;
  private fault: Bad | undefined;
  /** Octets of the stream before what is being read. */
  private at = 0;

  push(bytes: Uint8Array): JsonFrames {
    const values: unknown[] = [];
    let used = 0;
    while (used < bytes.length && this.fault === undefined) {
      used +=
        this.headerLength < LENGTH_BYTES ? this.takeHeader(bytes.subarray(used)) : this.takeBody(bytes.subarray(used));
      if (this.fault !== undefined || this.headerLength < LENGTH_BYTES) continue;
      if (this.bodyLength < this.header.readUInt32BE(0)) continue;
      const read = this.parse();
      if (read.kind === 'ok') values.push(read.value);
      else this.fault = read;
    }
    return { values, fault: this.fault };
  }

  private takeHeader(bytes: Uint8Array): number {
    const part = bytes.subarray(0, LENGTH_BYTES - this.headerLength);
    this.header.set(part, this.headerLength);
    this.headerLength += part.length;
    if (this.headerLength === LENGTH_BYTES) {
      const length = this.header.readUInt32BE(0);
      // No JSON text is empty.
      if (length === 0) this.fault = bad('the frame is empty', this.at);
      else if (length > JSON_FRAME_BYTES_MAX) {
        this.fault = bad(`the frame says ${length} bytes, and ${JSON_FRAME_BYTES_MAX} are allowed`, this.at);
      }
    }
    return part.length;
  }

  private takeBody(bytes: Uint8Array): number {
    const wanted = this.header.readUInt32BE(0);
    const part = bytes.subarray(0, wanted - this.bodyLength);
    const needed = this.bodyLength + part.length;
    if (needed > this.body.length) {
      // Doubling, so that a frame in tiny pieces is not copied over and over.
      const size = Math.min(wanted, Math.max(needed, 2 * this.body.length, Math.min(wanted, FIRST_BUFFER_BYTES)));
      const larger = Buffer.allocUnsafe(size);
      this.body.copy(larger, 0, 0, this.bodyLength);
      this.body = larger;
    }
    this.body.set(part, this.bodyLength);
    this.bodyLength = needed;
    return part.length;
  }

  private parse(): Read<unknown> {
    const text = this.body.subarray(0, this.bodyLength);
    const at = this.at;
    this.at += LENGTH_BYTES + this.bodyLength;
    let value: unknown;
    try {
      value = JSON.parse(this.decoder.decode(text));
    } catch {
      // The parser's own words quote the text, which may hold a secret.
      return bad('the frame is not UTF-8 JSON', at);
    }
    this.body = Buffer.alloc(0);
    this.bodyLength = 0;
    this.headerLength = 0;
    return ok(value);
  }
}

/** The bytes of one frame; `bad` when the value is no JSON (undefined, for one) or too large. */
export function encodeJsonFrame(value: unknown): Read<Buffer> {
  const text: string | undefined = JSON.stringify(value);
  if (text === undefined) return bad('the value has no form in JSON', 0);
  const length = Buffer.byteLength(text);
  if (length > JSON_FRAME_BYTES_MAX) return bad(`the frame would be ${length} bytes long`, 0);
  const frame = Buffer.allocUnsafe(LENGTH_BYTES + length);
  frame.writeUInt32BE(length, 0);
  frame.write(text, LENGTH_BYTES);
  return ok(frame);
}

export interface JsonChannel {
  /** Answers false, and sends nothing, when the value cannot be framed. */
  send(value: unknown): boolean;
  close(why?: string): void;
}

/** Speaks JSON frames over a connection, which it takes over. `onClose` is called once with the reason. */
export function jsonChannel(
  connection: Connection,
  listeners: { readonly onValue: (value: unknown) => void; readonly onClose: (why: string) => void },
): JsonChannel {
  const reader = new JsonFrameReader();
  let isOpen = true;
  const close = (why?: string): void => {
    isOpen = false;
    connection.close(why);
  };
  connection.onClose((why) => {
    isOpen = false;
    listeners.onClose(why);
  });
  connection.onData((bytes) => {
    if (!isOpen) return;
    const { values, fault } = reader.push(bytes);
    // A listener may close the channel between two values of one read.
    for (const value of values) if (isOpen) listeners.onValue(value);
    if (fault !== undefined && isOpen) close(`bad frame at byte ${fault.at}: ${fault.why}`);
  });
  return {
    send(value: unknown): boolean {
      const frame = encodeJsonFrame(value);
      if (frame.kind === 'ok') connection.write(frame.value);
      return frame.kind === 'ok';
    },
    close,
  };
}
