/**
 * The one place where native functions are called: the few socket calls of libc and the poll handle of libuv that `dgram` does not
 * offer, through koffi. Every call answers like the kernel does: a result of 0 or more, or the negative errno, never a throw.
 * Struct layouts are those of 64-bit little-endian Linux (x64 and arm64 agree on all that is used here).
 */
import { endianness } from 'node:os';
import { getSystemErrorName } from 'node:util';
import koffi from 'koffi';
import { assert } from '../../wire/units.ts';

export const AF_INET = 2;
export const AF_NETLINK = 16;
export const AF_PACKET = 17;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
export const SOCK_CLOEXEC = 0o2000000;
export const SOCK_NONBLOCK = 0o4000;
export const SOL_SOCKET = 1;
export const SO_REUSEADDR = 2;
export const SO_BROADCAST = 6;
export const SO_SNDBUF = 7;
export const SO_RCVBUF = 8;
export const SO_BINDTODEVICE = 25;
export const SO_RCVBUFFORCE = 33;
export const IPPROTO_IP = 0;
export const IP_PKTINFO = 8;
export const MSG_TRUNC = 0x20;
export const MSG_DONTWAIT = 0x40;
export const ETH_P_IP = 0x0800;

export const EINTR = 4;
export const ENXIO = 6;
export const EAGAIN = 11;
export const ENODEV = 19;
export const ENETDOWN = 100;

assert(process.platform !== 'linux' || endianness() === 'LE', 'struct layouts are those of a little-endian machine');

const library = koffi.load(null);

// koffi types every function as `any`; these casts are where its calls get their real types.
const calls = {
  socket: library.func('int socket(int, int, int)') as (domain: number, type: number, protocol: number) => number,
  close: library.func('int close(int)') as (fd: number) => number,
  bind: library.func('int bind(int, const void *, unsigned int)') as (
    fd: number,
    address: Uint8Array,
    length: number,
  ) => number,
  getsockname: library.func('int getsockname(int, void *, void *)') as (
    fd: number,
    address: Uint8Array,
    length: Uint8Array,
  ) => number,
  setsockopt: library.func('int setsockopt(int, int, int, const void *, unsigned int)') as (
    fd: number,
    level: number,
    name: number,
    value: Uint8Array,
    length: number,
  ) => number,
  send: library.func('long send(int, const void *, size_t, int)') as (
    fd: number,
    bytes: Uint8Array,
    length: number,
    flags: number,
  ) => number,
  recv: library.func('long recv(int, void *, size_t, int)') as (
    fd: number,
    bytes: Uint8Array,
    length: number,
    flags: number,
  ) => number,
  sendmmsg: library.func('int sendmmsg(int, void *, unsigned int, int)') as (
    fd: number,
    vector: bigint,
    count: number,
    flags: number,
  ) => number,
  recvmmsg: library.func('int recvmmsg(int, void *, unsigned int, int, void *)') as (
    fd: number,
    vector: bigint,
    count: number,
    flags: number,
    timeout: null,
  ) => number,
};

/** Memory whose address is fixed for as long as the object is referenced, as the kernel needs it. */
export interface FixedMemory {
  readonly bytes: Buffer;
  readonly view: DataView;
  readonly address: bigint;
}

/** Never a slice of Node's pool: an `ArrayBuffer` of its own does not move. */
export function fixedMemory(size: number): FixedMemory {
  const area = new ArrayBuffer(size);
  const bytes = Buffer.from(area);
  return { bytes, view: new DataView(area), address: koffi.address(bytes) };
}

export function openSocket(domain: number, type: number, protocol: number): number {
  return answer(calls.socket(domain, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
}

export function closeFd(fd: number): number {
  return answer(calls.close(fd));
}

export function bindSocket(fd: number, address: Uint8Array): number {
  return answer(calls.bind(fd, address, address.length));
}

/** The port an IPv4 socket is bound to, or a negative errno. */
export function boundPort(fd: number): number {
  const address = Buffer.alloc(16);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(address.length);
  const result = answer(calls.getsockname(fd, address, length));
  return result < 0 ? result : address.readUInt16BE(2);
}

export function setOption(fd: number, level: number, name: number, value: Uint8Array): number {
  return answer(calls.setsockopt(fd, level, name, value, value.length));
}

export function setIntOption(fd: number, level: number, name: number, value: number): number {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return setOption(fd, level, name, bytes);
}

export function sendBytes(fd: number, bytes: Uint8Array): number {
  return answer(calls.send(fd, bytes, bytes.length, 0));
}

export function receiveBytes(fd: number, into: Uint8Array, flags: number): number {
  return answer(calls.recv(fd, into, into.length, flags));
}

/** `vector` is the address of `count` message headers in fixed memory; answers how many were sent. */
export function sendMessages(fd: number, vector: bigint, count: number): number {
  return answer(calls.sendmmsg(fd, vector, count, MSG_DONTWAIT));
}

/** Answers how many of the `count` message headers were filled. */
export function receiveMessages(fd: number, vector: bigint, count: number): number {
  return answer(calls.recvmmsg(fd, vector, count, MSG_DONTWAIT, null));
}

/** `sockaddr_in`; port and address in host order. */
export function inetAddress(address: number, port: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt16LE(AF_INET, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.writeUInt32BE(address, 4);
  return bytes;
}

/** `sockaddr_ll` for IPv4 frames to `hardware` (6 bytes, or none) on one interface. */
export function linkAddress(interfaceIndex: number, protocol: number, hardware: Uint8Array): Buffer {
  const bytes = Buffer.alloc(20);
  bytes.writeUInt16LE(AF_PACKET, 0);
  bytes.writeUInt16BE(protocol, 2);
  bytes.writeInt32LE(interfaceIndex, 4);
  bytes.writeUInt8(hardware.length, 11);
  bytes.set(hardware, 12);
  return bytes;
}

/** An error for a failed native call, with the errno's name as `code`. */
export function systemError(what: string, result: number): NodeJS.ErrnoException {
  const code = getSystemErrorName(result);
  return Object.assign(new Error(`${what}: ${code}`), { code, errno: result, syscall: what });
}

function answer(result: number): number {
  return result < 0 ? -koffi.errno() : result;
}
