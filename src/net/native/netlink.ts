/**
 * What the kernel says about interfaces and their IPv4 addresses, by rtnetlink (rtnetlink(7)): a dump of both, and a socket that
 * is readable when either changes. Unlike `os.networkInterfaces()` this shows interfaces that are down, with their addresses
 * and index, which is what tells a flapped interface from one that was deleted and made again.
 */
import { type Ip4, ip4 } from '../../wire/units.ts';
import {
  AF_INET,
  AF_NETLINK,
  bindSocket,
  closeFd,
  EAGAIN,
  MSG_DONTWAIT,
  openSocket,
  receiveBytes,
  SOCK_RAW,
  sendBytes,
  systemError,
} from './libc.ts';
import { ReadWatcher } from './read-watcher.ts';

export interface LinkAddress {
  readonly address: Ip4;
  readonly prefixLength: number;
}

/** One interface as the kernel has it at the moment. */
export interface Link {
  /** The kernel's number: another one after the interface was deleted and made again. */
  readonly index: number;
  readonly name: string;
  readonly isEthernet: boolean;
  readonly isLoopback: boolean;
  /** Administratively up and with carrier. */
  readonly isUp: boolean;
  /** 6 bytes, or empty where it has none. */
  readonly hardware: Uint8Array;
  readonly addresses: readonly LinkAddress[];
}

const NETLINK_ROUTE = 0;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const RTM_NEWLINK = 16;
const RTM_GETLINK = 18;
const RTM_NEWADDR = 20;
const RTM_GETADDR = 22;
const NLM_F_REQUEST_DUMP = 0x301;
const NLM_F_DUMP_INTR = 0x10;
const RTMGRP_LINK = 0x1;
const RTMGRP_IPV4_IFADDR = 0x10;
const IFF_UP = 0x1;
const IFF_LOOPBACK = 0x8;
const IFF_RUNNING = 0x40;
const ARPHRD_ETHER = 1;
const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;

/** The kernel fills at most 32 KiB of a dump at a time. */
const DUMP_BUFFER_BYTES = 64 * 1024;
/** Reads of one dump: far more than any machine has interfaces for. */
const DUMP_READS_MAX = 10_000;
/** A dump that a change interrupted is asked for again. */
const DUMP_TRIES_MAX = 4;
/** Change notices read in one go before the rest waits for the next turn. */
const NOTICE_READS_MAX = 64;

/** What one datagram of a dump held besides its messages. */
export interface DumpPart {
  readonly isDone: boolean;
  /** Something changed meanwhile: the dump is to be thrown away. */
  readonly isInterrupted: boolean;
  readonly isBad: boolean;
}

/** All interfaces with their IPv4 addresses, or undefined when the kernel did not answer properly. */
export function listLinks(): readonly Link[] | undefined {
  const fd = openSocket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  if (fd < 0) return undefined;
  try {
    const links: Omit<Link, 'addresses'>[] = [];
    const addresses = new Map<number, LinkAddress[]>();
    const hasLinks = dump(
      fd,
      RTM_GETLINK,
      0,
      () => links.splice(0),
      (type, body) => {
        const link = type === RTM_NEWLINK ? readLink(body) : undefined;
        if (link !== undefined) links.push(link);
      },
    );
    const hasAddresses = dump(
      fd,
      RTM_GETADDR,
      AF_INET,
      () => addresses.clear(),
      (type, body) => {
        const found = type === RTM_NEWADDR ? readAddress(body) : undefined;
        if (found === undefined) return;
        const known = addresses.get(found.index);
        if (known === undefined) addresses.set(found.index, [found.value]);
        else known.push(found.value);
      },
    );
    if (!hasLinks || !hasAddresses) return undefined;
    return links.map((link) => ({ ...link, addresses: addresses.get(link.index) ?? [] }));
  } finally {
    closeFd(fd);
  }
}

/** Calls `onChange` when an interface or an IPv4 address came, went or changed. Throws the system error when it cannot. */
export function watchLinks(onChange: () => void, onFailure: (cause: Error) => void): { close(): void } {
  const fd = openSocket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  if (fd < 0) throw systemError('socket(AF_NETLINK)', fd);
  const address = Buffer.alloc(12);
  address.writeUInt16LE(AF_NETLINK, 0);
  address.writeUInt32LE(RTMGRP_LINK | RTMGRP_IPV4_IFADDR, 8);
  const bound = bindSocket(fd, address);
  if (bound < 0) {
    closeFd(fd);
    throw systemError('bind(AF_NETLINK)', bound);
  }
  const buffer = Buffer.alloc(DUMP_BUFFER_BYTES);
  const drain = (): void => {
    // What changed is not read from the notice: ENOBUFS means that some were lost, and a new dump is right in every case.
    for (let i = 0; i < NOTICE_READS_MAX && receiveBytes(fd, buffer, MSG_DONTWAIT) !== -EAGAIN; i++);
    onChange();
  };
  const watcher = new ReadWatcher(fd, drain, onFailure);
  return {
    close(): void {
      watcher.close();
      closeFd(fd);
    },
  };
}

type OnMessage = (type: number, body: Buffer) => void;

function dump(fd: number, type: number, family: number, reset: () => void, onMessage: OnMessage): boolean {
  const buffer = Buffer.alloc(DUMP_BUFFER_BYTES);
  for (let attempt = 1; attempt <= DUMP_TRIES_MAX; attempt++) {
    reset();
    const request = Buffer.alloc(32);
    request.writeUInt32LE(request.length, 0);
    request.writeUInt16LE(type, 4);
    request.writeUInt16LE(NLM_F_REQUEST_DUMP, 6);
    request.writeUInt32LE(attempt, 8);
    request.writeUInt8(family, 16);
    if (sendBytes(fd, request) < 0) return false;
    let isInterrupted = false;
    let isDone = false;
    for (let reads = 0; !isDone; reads++) {
      const length = reads < DUMP_READS_MAX ? receiveBytes(fd, buffer, 0) : -1;
      if (length < 0) return false;
      const part = readDumpPart(buffer.subarray(0, length), onMessage);
      if (part.isBad) return false;
      isDone = part.isDone;
      isInterrupted ||= part.isInterrupted;
    }
    if (!isInterrupted) return true;
  }
  return false;
}

/** Reads one datagram of a dump and hands out its messages. */
export function readDumpPart(bytes: Buffer, onMessage: OnMessage): DumpPart {
  let isInterrupted = false;
  for (const message of messagesOf(bytes)) {
    if (message.type === NLMSG_ERROR || message.type < 0) return { isDone: false, isInterrupted, isBad: true };
    if ((message.flags & NLM_F_DUMP_INTR) !== 0) isInterrupted = true;
    if (message.type === NLMSG_DONE) return { isDone: true, isInterrupted, isBad: false };
    onMessage(message.type, message.body);
  }
  return { isDone: false, isInterrupted, isBad: false };
}

/** A message that does not fit in what was read is given the type -1. */
function messagesOf(bytes: Buffer): { type: number; flags: number; body: Buffer }[] {
  const messages: { type: number; flags: number; body: Buffer }[] = [];
  let at = 0;
  while (at + 16 <= bytes.length) {
    const length = bytes.readUInt32LE(at);
    if (length < 16 || at + length > bytes.length)
      return [...messages, { type: -1, flags: 0, body: bytes.subarray(0, 0) }];
    messages.push({
      type: bytes.readUInt16LE(at + 4),
      flags: bytes.readUInt16LE(at + 6),
      body: bytes.subarray(at + 16, at + length),
    });
    at += (length + 3) & ~3;
  }
  return messages;
}

/** `struct ifinfomsg` and its attributes. */
export function readLink(body: Buffer): Omit<Link, 'addresses'> | undefined {
  if (body.length < 16) return undefined;
  const flags = body.readUInt32LE(8);
  const attributes = readAttributes(body.subarray(16));
  const name = attributes.get(IFLA_IFNAME);
  if (name === undefined) return undefined;
  const hardware = attributes.get(IFLA_ADDRESS);
  const isLoopback = (flags & IFF_LOOPBACK) !== 0;
  const isEthernet = body.readUInt16LE(2) === ARPHRD_ETHER;
  return {
    index: body.readInt32LE(4),
    name: name.toString('latin1').replace(/\0+$/, ''),
    isEthernet,
    isLoopback,
    isUp: (flags & IFF_UP) !== 0 && (flags & IFF_RUNNING) !== 0,
    hardware: isEthernet && hardware?.length === 6 ? Uint8Array.from(hardware) : new Uint8Array(0),
  };
}

/** `struct ifaddrmsg` and its attributes. On a point-to-point link `IFA_ADDRESS` is the far end, so `IFA_LOCAL` comes first. */
export function readAddress(body: Buffer): { index: number; value: LinkAddress } | undefined {
  if (body.length < 8) return undefined;
  const attributes = readAttributes(body.subarray(8));
  const address = attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS);
  if (body.readUInt8(0) !== AF_INET || address?.length !== 4) return undefined;
  const value = { address: ip4(address.readUInt32BE(0)), prefixLength: body.readUInt8(1) };
  return { index: body.readUInt32LE(4), value };
}

function readAttributes(bytes: Buffer): Map<number, Buffer> {
  const attributes = new Map<number, Buffer>();
  let at = 0;
  while (at + 4 <= bytes.length) {
    const length = bytes.readUInt16LE(at);
    if (length < 4 || at + length > bytes.length) break;
    attributes.set(bytes.readUInt16LE(at + 2) & 0x3fff, bytes.subarray(at + 4, at + length));
    at += (length + 3) & ~3;
  }
  return attributes;
}
