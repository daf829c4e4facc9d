/**
 * Cuts the byte stream of a failover connection into messages (failover specification 1.1, 1.2): several messages may
 * share a segment and a message may span segments. It looks at the length alone; `codec.ts` reads what is inside.
 */

/** Header of every message: length, type, payload offset, time, xid (specification 1.2). */
export const HEADER_BYTES = 12;
/** The draft and dhcpd end a connection over anything longer (specification 1.2). */
export const FRAME_BYTES_MAX = 2048;
/** What may lie in a framer unread. A caller that takes the frames out after every chunk stays far below it. */
export const FRAMER_BYTES_MAX = 1 << 20;
/** A drained buffer that has grown beyond this is given back. */
const KEPT_BYTES_MAX = 1 << 16;
const INITIAL_BYTES = 4096;

export type Framed =
  /** One whole message; the bytes are the caller's. */
  | { readonly kind: 'frame'; readonly bytes: Uint8Array }
  | { readonly kind: 'need-more' }
  /** The stream is out of step and stays so: close the connection. `at` counts from the first byte of the stream. */
  | { readonly kind: 'bad'; readonly why: string; readonly at: number };

const NEED_MORE: Framed = { kind: 'need-more' };

/** The reading half of one connection. Push what arrives, then call `next` until it answers something else than a frame. */
export class Framer {
  #buffer = new Uint8Array(INITIAL_BYTES);
  #start = 0;
  #end = 0;
  /** Bytes of the stream before `#start`. */
  #consumed = 0;
  #failed: Framed | undefined;

  /** Copies the chunk, so the caller may reuse it at once. */
  push(chunk: Uint8Array): void {
    if (this.#failed !== undefined) return;
    const held = this.#end - this.#start;
    if (held + chunk.length > FRAMER_BYTES_MAX) {
      this.#fail('more unread bytes than a framer holds');
      return;
    }
    if (this.#end + chunk.length > this.#buffer.length) this.#makeRoom(held + chunk.length);
    this.#buffer.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  next(): Framed {
    if (this.#failed !== undefined) return this.#failed;
    const held = this.#end - this.#start;
    if (held < 2) return NEED_MORE;
    const size = (this.#buffer[this.#start]! << 8) | this.#buffer[this.#start + 1]!;
    if (size < HEADER_BYTES) return this.#fail('message length below 12');
    if (size > FRAME_BYTES_MAX) return this.#fail('message length above 2048');
    if (held < size) return NEED_MORE;
    const bytes = this.#buffer.slice(this.#start, this.#start + size);
    this.#start += size;
    this.#consumed += size;
    if (this.#start === this.#end) this.#drained();
    return { kind: 'frame', bytes };
  }

  #drained(): void {
    this.#start = 0;
    this.#end = 0;
    if (this.#buffer.length > KEPT_BYTES_MAX) this.#buffer = new Uint8Array(INITIAL_BYTES);
  }

  #makeRoom(needed: number): void {
    let size = this.#buffer.length;
    while (size < needed) size *= 2;
    const held = this.#buffer.subarray(this.#start, this.#end);
    if (size === this.#buffer.length) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
    } else {
      const larger = new Uint8Array(size);
      larger.set(held);
      this.#buffer = larger;
    }
    this.#end = held.length;
    this.#start = 0;
  }

  #fail(why: string): Framed {
    this.#failed = { kind: 'bad', why, at: this.#consumed };
    this.#buffer = new Uint8Array(0);
    this.#start = 0;
    this.#end = 0;
    return this.#failed;
  }
}
