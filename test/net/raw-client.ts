/**
 * A client for the namespace tests: a packet socket that sees every frame, and a UDP socket, both living in another namespace than
 * the test itself, which enters it only to open them.
 */
import { closeSync, openSync } from 'node:fs';
import koffi from 'koffi';
import { writeLinkFrame } from '../../src/net/link-frame.ts';
import {
  AF_INET,
  AF_PACKET,
  bindSocket,
  closeFd,
  inetAddress,
  linkAddress,
  openSocket,
  receiveBytes,
  SO_BINDTODEVICE,
  SO_BROADCAST,
  SO_RCVBUFFORCE,
  SO_REUSEADDR,
  SOCK_DGRAM,
  SOCK_RAW,
  SOL_SOCKET,
  sendBytes,
  setIntOption,
  setOption,
  systemError,
} from '../../src/net/native/libc.ts';
import { listLinks } from '../../src/net/native/netlink.ts';
import { ReadWatcher } from '../../src/net/native/read-watcher.ts';
import { type Ip4, ip4, parseIp4 } from '../../src/wire/units.ts';
import type { Namespace } from './namespaces.ts';

const CLONE_NEWNET = 0x40000000;
const ETH_P_ALL = 3;
/** A test that waits longer than this for a frame has failed. */
const WAIT_MS = 10_000;

const setns = koffi.load(null).func('int setns(int, int)') as (fd: number, kind: number) => number;

/** Runs `work`, which must not wait, with the sockets it opens living in `namespace`. */
export function inNamespace<T>(namespace: Namespace, work: () => T): T {
  const home = openSync('/proc/self/ns/net', 'r');
  const there = openSync(`/run/netns/${namespace.name}`, 'r');
  let isHome = false;
  let result: T;
  try {
    if (setns(there, CLONE_NEWNET) !== 0) throw new Error('setns into the namespace');
    result = work();
  } finally {
    isHome = setns(home, CLONE_NEWNET) === 0;
    closeSync(home);
    closeSync(there);
  }
  if (!isHome) throw new Error('setns back home');
  return result;
}

export interface SeenDatagram {
  readonly toHardware: Uint8Array;
  readonly source: Ip4;
  readonly destination: Ip4;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly payload: Uint8Array;
  /** Both checksums, computed again here, are right; a datagram of a UDP socket may leave them to the card. */
  readonly hasGoodChecksums: boolean;
}

export class RawClient {
  readonly seen: SeenDatagram[] = [];
  readonly hardware: Uint8Array;
  private readonly fd: number;
  private readonly watcher: ReadWatcher;
  private readonly waiting = new Set<() => void>();

  /** Called inside `inNamespace`. */
  constructor(interfaceName: string) {
    const link = listLinks()?.find((found) => found.name === interfaceName);
    if (link === undefined) throw new Error(`no interface ${interfaceName}`);
    this.hardware = link.hardware;
    this.fd = checked('socket', openSocket(AF_PACKET, SOCK_RAW, 0));
    // A burst must not be lost for want of room on the test's side.
    checked('SO_RCVBUFFORCE', setIntOption(this.fd, SOL_SOCKET, SO_RCVBUFFORCE, 16 * 1024 * 1024));
    checked('bind', bindSocket(this.fd, linkAddress(link.index, ETH_P_ALL, new Uint8Array(0))));
    this.watcher = new ReadWatcher(
      this.fd,
      () => this.drain(),
      () => this.close(),
    );
  }

  /** As a client without an address sends: from 0.0.0.0:68 to everyone's port 67. */
  broadcast(payload: Uint8Array): void {
    const frame = Buffer.alloc(payload.length + 64);
    const length = writeLinkFrame(frame, {
      fromHardware: this.hardware,
      toHardware: new Uint8Array(6).fill(0xff),
      source: ip4(0),
      sourcePort: 68,
      destination: ip4(0xffffffff),
      destinationPort: 67,
      payload,
    });
    checked('send', sendBytes(this.fd, frame.subarray(0, length)));
  }

  /** The first datagram, seen already or still to come, that fits. */
  async next(fits: (datagram: SeenDatagram) => boolean): Promise<SeenDatagram> {
    const found = this.seen.find(fits);
    if (found !== undefined) return found;
    return new Promise((resolve, reject) => {
      const tooLate = setTimeout(() => {
        this.waiting.delete(look);
        reject(new Error(`no such datagram among the ${this.seen.length} seen`));
      }, WAIT_MS);
      const look = (): void => {
        const come = this.seen.find(fits);
        if (come === undefined) return;
        clearTimeout(tooLate);
        this.waiting.delete(look);
        resolve(come);
      };
      this.waiting.add(look);
    });
  }

  close(): void {
    this.watcher.close();
    closeFd(this.fd);
  }

  private drain(): void {
    const buffer = Buffer.alloc(65536);
    for (;;) {
      const length = receiveBytes(this.fd, buffer, 0);
      if (length < 0) break;
      const datagram = readDatagram(buffer.subarray(0, length));
      if (datagram !== undefined) this.seen.push(datagram);
    }
    for (const look of [...this.waiting]) look();
  }
}

function readDatagram(frame: Buffer): SeenDatagram | undefined {
  if (frame.length < 42 || frame.readUInt16BE(12) !== 0x0800 || frame[14] !== 0x45 || frame[23] !== 17)
    return undefined;
  const udpLength = frame.readUInt16BE(38);
  const udp = frame.subarray(34, 34 + udpLength);
  const pseudo = Buffer.alloc(12);
  frame.copy(pseudo, 0, 26, 34);
  pseudo.writeUInt16BE(17, 8);
  pseudo.writeUInt16BE(udpLength, 10);
  return {
    toHardware: Uint8Array.from(frame.subarray(0, 6)),
    source: ip4(frame.readUInt32BE(26)),
    destination: ip4(frame.readUInt32BE(30)),
    sourcePort: frame.readUInt16BE(34),
    destinationPort: frame.readUInt16BE(36),
    payload: Uint8Array.from(udp.subarray(8)),
    hasGoodChecksums: onesSum(frame.subarray(14, 34)) === 0xffff && onesSum(Buffer.concat([pseudo, udp])) === 0xffff,
  };
}

/** The ones-complement sum, carried round word by word: 0xffff over data with a right checksum in it. */
export function onesSum(bytes: Buffer): number {
  let total = 0;
  for (let i = 0; i < bytes.length; i += 2) {
    total += (bytes[i]! << 8) | (bytes[i + 1] ?? 0);
    if (total > 0xffff) total -= 0xffff;
  }
  return total;
}

/** A UDP socket in the namespace, as a relay or a client with an address has it. */
export function openPlainUdp(address: string, port: number, device: string | undefined): number {
  const fd = checked('socket', openSocket(AF_INET, SOCK_DGRAM, 0));
  checked('SO_REUSEADDR', setIntOption(fd, SOL_SOCKET, SO_REUSEADDR, 1));
  checked('SO_BROADCAST', setIntOption(fd, SOL_SOCKET, SO_BROADCAST, 1));
  if (device !== undefined) checked('device', setOption(fd, SOL_SOCKET, SO_BINDTODEVICE, Buffer.from(`${device}\0`)));
  checked('bind', bindSocket(fd, inetAddress(parseIp4(address) ?? ip4(0), port)));
  return fd;
}

function checked(what: string, result: number): number {
  if (result < 0) throw systemError(what, result);
  return result;
}
