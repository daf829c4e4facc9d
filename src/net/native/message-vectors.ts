/**
 * The memory behind `recvmmsg` and `sendmmsg`: an array of message headers, each with its address, one buffer and room for one
 * `IP_PKTINFO`. One vector of each kind serves all sockets, because they are filled and emptied within one call.
 */
import { type Ip4, ip4 } from '../../wire/units.ts';
import {
  type FixedMemory,
  fixedMemory,
  IP_PKTINFO,
  IPPROTO_IP,
  MSG_TRUNC,
  receiveMessages,
  sendMessages,
} from './libc.ts';

/** How many datagrams one system call moves. */
export const VECTOR_SLOTS = 64;
/** A longer datagram is cut by the kernel and dropped here: no DHCP client or relay sends one. */
export const PACKET_BYTES_MAX = 4096;

// struct mmsghdr: name, namelen, iov, iovlen, control, controllen, flags, and after these 56 bytes the length moved.
const HEADER_BYTES = 64;
const NAME_AT = 0;
const NAME_LENGTH_AT = 8;
const IOV_AT = 16;
const IOV_COUNT_AT = 24;
const CONTROL_AT = 32;
const CONTROL_LENGTH_AT = 40;
const FLAGS_AT = 48;
const MOVED_AT = 56;

const NAME_BYTES = 32;
const INET_NAME_BYTES = 16;
const IOV_BYTES = 16;
/** CMSG_SPACE(sizeof(struct in_pktinfo)). */
const CONTROL_BYTES = 32;
/** CMSG_LEN(sizeof(struct in_pktinfo)). */
const CONTROL_USED = 28;
const CONTROL_LEVEL_AT = 8;
const CONTROL_TYPE_AT = 12;
const PKTINFO_INDEX_AT = 16;
const PKTINFO_SOURCE_AT = 20;

/** A link-layer frame needs 42 bytes of headers before the datagram. */
const SEND_SLOT_BYTES = PACKET_BYTES_MAX + 64;

interface Memory {
  readonly headers: FixedMemory;
  readonly names: FixedMemory;
  readonly controls: FixedMemory;
  readonly iovs: FixedMemory;
  readonly slots: FixedMemory;
}

function makeMemory(slotBytes: number): Memory {
  const memory: Memory = {
    headers: fixedMemory(VECTOR_SLOTS * HEADER_BYTES),
    names: fixedMemory(VECTOR_SLOTS * NAME_BYTES),
    controls: fixedMemory(VECTOR_SLOTS * CONTROL_BYTES),
    iovs: fixedMemory(VECTOR_SLOTS * IOV_BYTES),
    slots: fixedMemory(VECTOR_SLOTS * slotBytes),
  };
  for (let i = 0; i < VECTOR_SLOTS; i++) {
    const header = i * HEADER_BYTES;
    const place = memory.headers.view;
    place.setBigUint64(header + NAME_AT, memory.names.address + BigInt(i * NAME_BYTES), true);
    place.setBigUint64(header + IOV_AT, memory.iovs.address + BigInt(i * IOV_BYTES), true);
    place.setBigUint64(header + IOV_COUNT_AT, 1n, true);
    memory.iovs.view.setBigUint64(i * IOV_BYTES, memory.slots.address + BigInt(i * slotBytes), true);
    memory.iovs.view.setUint32(i * IOV_BYTES + 8, slotBytes, true);
  }
  return memory;
}

/** What one `recvmmsg` brought. Slots are valid until the next `receive`. */
export class ReceiveVector {
  private readonly memory = makeMemory(PACKET_BYTES_MAX);

  constructor() {
    const { headers, controls } = this.memory;
    for (let i = 0; i < VECTOR_SLOTS; i++) {
      const control = controls.address + BigInt(i * CONTROL_BYTES);
      headers.view.setBigUint64(i * HEADER_BYTES + CONTROL_AT, control, true);
    }
    this.rearm(VECTOR_SLOTS);
  }

  /** Answers how many datagrams came, or a negative errno. */
  receive(fd: number): number {
    return receiveMessages(fd, this.memory.headers.address, VECTOR_SLOTS);
  }

  /** To be called with the count of the last `receive` once its slots were read: the kernel has overwritten the lengths. */
  rearm(count: number): void {
    const headers = this.memory.headers.view;
    for (let i = 0; i < count; i++) {
      const header = i * HEADER_BYTES;
      headers.setUint32(header + NAME_LENGTH_AT, NAME_BYTES, true);
      headers.setUint32(header + CONTROL_LENGTH_AT, CONTROL_BYTES, true);
      headers.setUint32(header + FLAGS_AT, 0, true);
    }
  }

  bytes(slot: number): Uint8Array {
    const start = slot * PACKET_BYTES_MAX;
    const length = this.memory.headers.view.getUint32(slot * HEADER_BYTES + MOVED_AT, true);
    return this.memory.slots.bytes.subarray(start, start + length);
  }

  isTruncated(slot: number): boolean {
    return (this.memory.headers.view.getUint32(slot * HEADER_BYTES + FLAGS_AT, true) & MSG_TRUNC) !== 0;
  }

  fromAddress(slot: number): Ip4 {
    return ip4(this.memory.names.view.getUint32(slot * NAME_BYTES + 4, false));
  }

  fromPort(slot: number): number {
    return this.memory.names.view.getUint16(slot * NAME_BYTES + 2, false);
  }

  /** The kernel's index of the interface it arrived on; 0 when the kernel did not say. */
  arrivedOn(slot: number): number {
    const { headers, controls } = this.memory;
    if (headers.view.getUint32(slot * HEADER_BYTES + CONTROL_LENGTH_AT, true) < CONTROL_USED) return 0;
    const control = slot * CONTROL_BYTES;
    if (controls.view.getInt32(control + CONTROL_TYPE_AT, true) !== IP_PKTINFO) return 0;
    return controls.view.getInt32(control + PKTINFO_INDEX_AT, true);
  }
}

/** What one `sendmmsg` takes. */
export class SendVector {
  private readonly memory = makeMemory(SEND_SLOT_BYTES);

  constructor() {
    const controls = this.memory.controls.view;
    for (let i = 0; i < VECTOR_SLOTS; i++) {
      const control = i * CONTROL_BYTES;
      controls.setUint32(control, CONTROL_USED, true);
      controls.setInt32(control + CONTROL_LEVEL_AT, IPPROTO_IP, true);
      controls.setInt32(control + CONTROL_TYPE_AT, IP_PKTINFO, true);
    }
  }

  /** Puts a datagram for `address`:`port`; with a `source` other than 0 the kernel is told to send from it. */
  putDatagram(slot: number, bytes: Uint8Array, to: { address: Ip4; port: number; source: Ip4 }): void {
    const { headers, names, controls, slots } = this.memory;
    const name = slot * NAME_BYTES;
    const header = slot * HEADER_BYTES;
    names.view.setUint16(name, 2, true);
    names.view.setUint16(name + 2, to.port, false);
    names.view.setUint32(name + 4, to.address, false);
    headers.view.setUint32(header + NAME_LENGTH_AT, INET_NAME_BYTES, true);
    controls.view.setUint32(slot * CONTROL_BYTES + PKTINFO_SOURCE_AT, to.source, false);
    const control = to.source === 0 ? 0n : controls.address + BigInt(slot * CONTROL_BYTES);
    headers.view.setBigUint64(header + CONTROL_AT, control, true);
    headers.view.setUint32(header + CONTROL_LENGTH_AT, to.source === 0 ? 0 : CONTROL_BYTES, true);
    slots.bytes.set(bytes, slot * SEND_SLOT_BYTES);
    this.setLength(slot, bytes.length);
  }

  /** The buffer of a slot, in which the caller builds a whole frame, to be followed by `putFrame`. */
  room(slot: number): Uint8Array {
    return this.memory.slots.bytes.subarray(slot * SEND_SLOT_BYTES, (slot + 1) * SEND_SLOT_BYTES);
  }

  putFrame(slot: number, length: number, linkName: Uint8Array): void {
    const { headers, names } = this.memory;
    const header = slot * HEADER_BYTES;
    names.bytes.set(linkName, slot * NAME_BYTES);
    headers.view.setUint32(header + NAME_LENGTH_AT, linkName.length, true);
    headers.view.setBigUint64(header + CONTROL_AT, 0n, true);
    headers.view.setUint32(header + CONTROL_LENGTH_AT, 0, true);
    this.setLength(slot, length);
  }

  /** Sends slots `first` up to `count`; answers how many went, or a negative errno for the first of them. */
  send(fd: number, first: number, count: number): number {
    return sendMessages(fd, this.memory.headers.address + BigInt(first * HEADER_BYTES), count - first);
  }

  private setLength(slot: number, length: number): void {
    this.memory.iovs.view.setUint32(slot * IOV_BYTES + 8, length, true);
  }
}
