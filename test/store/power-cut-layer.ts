/**
 * A file layer in memory that forgets like a machine whose power is cut: what was not flushed is dropped, reordered or torn, with old
 * or random bytes in its place, and a name that was made, moved or removed since the directory's last flush lasts or does not, each by itself.
 * It can also run out of space at a given byte, and fail a given flush the way Linux does: the bytes stay readable but count
 * as clean, so that no later flush writes them.
 */
import type { FileHandleLayer, FileLayer } from '../../src/store/store-types.ts';
import type { Random } from './random.ts';

/** What is torn apart independently. Smaller than a disk's sector, so that small test files have many. */
const SECTOR_BYTES = 32;
/** A call takes up to so many turns of the microtask queue, so that calls under way overtake each other. */
const TURNS_MAX = 4;
/** One call in so many takes very long, so that a stalled log is overtaken by everything else. */
const SLOW_ONE_IN = 16;
const SLOW_TURNS_MAX = 250;

type Pending =
  | { readonly kind: 'write'; readonly position: number; readonly bytes: Uint8Array }
  | { readonly kind: 'truncate'; readonly length: number };

interface Inode {
  durable: Uint8Array;
  /** As a reader sees it: the page cache. */
  cached: Uint8Array;
  pending: Pending[];
}

type NameChange =
  | { readonly kind: 'link'; readonly path: string; readonly inode: Inode }
  | { readonly kind: 'unlink'; readonly path: string; readonly inode: Inode }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string; readonly inode: Inode };

export interface PowerCutOptions {
  readonly random: Random;
  /** The power is cut in this call, counted from 1. Never, unless given. */
  readonly cutAtCall?: number;
  /** Bytes that writes may put before the disk is full. */
  readonly spaceBytes?: number;
  /** This flush fails, counted from 1. */
  readonly failFlush?: number;
  /** A position from which on the first write of this number fails half done; counted from 1. */
  readonly shortWrite?: number;
}

interface Disk {
  readonly durableNames: Map<string, Inode>;
  readonly names: Map<string, Inode>;
  pendingNames: NameChange[];
}

export class SystemError extends Error {
  readonly code: string;
  readonly errno: number;

  constructor(code: string, errno: number, what: string) {
    super(`${code}: ${what}`);
    this.code = code;
    this.errno = errno;
  }
}

export class PowerCutLayer implements FileLayer {
  readonly #disk: Disk;
  readonly #options: PowerCutOptions;
  readonly #cut: Promise<void>;
  #tellCut: () => void = () => {};
  #isCut = false;
  #calls = 0;
  #flushes = 0;
  #writes = 0;
  #written = 0;

  constructor(options: PowerCutOptions, disk?: Disk) {
    this.#options = options;
    this.#disk = disk ?? { durableNames: new Map(), names: new Map(), pendingNames: [] };
    this.#cut = new Promise((done) => {
      this.#tellCut = done;
    });
  }

  /** Resolves when the power is cut; from then on no call resolves any more. */
  get cut(): Promise<void> {
    return this.#cut;
  }

  get isCut(): boolean {
    return this.#isCut;
  }

  get calls(): number {
    return this.#calls;
  }

  get flushes(): number {
    return this.#flushes;
  }

  cutNow(): void {
    this.#isCut = true;
    this.#tellCut();
  }

  /** The machine after the power came back: a new layer over what the cut has left. */
  afterPowerCut(options: PowerCutOptions): PowerCutLayer {
    this.cutNow();
    const { random } = options;
    const all = [...this.#disk.names.values(), ...this.#disk.durableNames.values()];
    const stale = all[random.below(Math.max(all.length, 1))]?.cached ?? new Uint8Array(0);
    const durableNames = new Map(this.#disk.durableNames);
    for (const change of this.#disk.pendingNames) if (!random.oneIn(3)) applyName(durableNames, change);
    const left = new Map<Inode, Inode>();
    for (const inode of durableNames.values()) {
      if (left.has(inode)) continue;
      const durable = whatIsLeft(inode, stale, random);
      left.set(inode, { durable, cached: durable.slice(), pending: [] });
    }
    for (const [path, inode] of durableNames) durableNames.set(path, left.get(inode)!);
    return new PowerCutLayer(options, { durableNames, names: new Map(durableNames), pendingNames: [] });
  }

  /** The same machine after its process died: nothing that was written is forgotten, and nothing of it was flushed. */
  afterKill(options: PowerCutOptions): PowerCutLayer {
    this.cutNow();
    return new PowerCutLayer(options, this.#disk);
  }

  /** A second machine with the same durable files, so that a test can spoil one without the other. */
  clone(options: PowerCutOptions): PowerCutLayer {
    const copies = new Map<string, Inode>();
    for (const [path, inode] of this.#disk.names) {
      copies.set(path, { durable: inode.cached.slice(), cached: inode.cached.slice(), pending: [] });
    }
    return new PowerCutLayer(options, { durableNames: copies, names: new Map(copies), pendingNames: [] });
  }

  /** All names with what a reader sees. */
  contents(): Map<string, Uint8Array> {
    return new Map([...this.#disk.names].map(([path, inode]) => [path, inode.cached.slice()]));
  }

  /** Puts a durable file there; `undefined` removes it. */
  put(path: string, bytes: Uint8Array | undefined): void {
    if (bytes === undefined) {
      this.#disk.names.delete(path);
      this.#disk.durableNames.delete(path);
      return;
    }
    const inode: Inode = { durable: new Uint8Array(bytes), cached: new Uint8Array(bytes), pending: [] };
    this.#disk.names.set(path, inode);
    this.#disk.durableNames.set(path, inode);
  }

  async mkdir(): Promise<void> {
    await this.#turn();
  }

  async list(path: string): Promise<string[]> {
    await this.#turn();
    const prefix = path + '/';
    return [...this.#disk.names.keys()]
      .filter((name) => name.startsWith(prefix))
      .map((name) => name.slice(prefix.length));
  }

  async open(path: string, how: 'read' | 'append' | 'create'): Promise<FileHandleLayer> {
    let inode = this.#disk.names.get(path);
    if (inode === undefined) {
      if (how !== 'create') throw new SystemError('ENOENT', -2, `no such file, open '${path}'`);
      inode = { durable: new Uint8Array(0), cached: new Uint8Array(0), pending: [] };
      this.#disk.names.set(path, inode);
      this.#disk.pendingNames.push({ kind: 'link', path, inode });
    }
    await this.#turn();
    return this.#handle(inode);
  }

  async rename(from: string, to: string): Promise<void> {
    const change: NameChange = { kind: 'rename', from, to, inode: this.#inode(from) };
    applyName(this.#disk.names, change);
    this.#disk.pendingNames.push(change);
    await this.#turn();
  }

  async unlink(path: string): Promise<void> {
    const change: NameChange = { kind: 'unlink', path, inode: this.#inode(path) };
    applyName(this.#disk.names, change);
    this.#disk.pendingNames.push(change);
    await this.#turn();
  }

  async syncDirectory(): Promise<void> {
    await this.#turn();
    for (const change of this.#disk.pendingNames) applyName(this.#disk.durableNames, change);
    this.#disk.pendingNames = [];
  }

  async size(path: string): Promise<number | undefined> {
    await this.#turn();
    return this.#disk.names.get(path)?.cached.length;
  }

  #inode(path: string): Inode {
    const inode = this.#disk.names.get(path);
    if (inode === undefined) throw new SystemError('ENOENT', -2, `no such file, '${path}'`);
    return inode;
  }

  /** Takes some turns; never ends when the power is cut before or meanwhile. */
  async #turn(): Promise<void> {
    this.#calls++;
    if (this.#calls === this.#options.cutAtCall) this.cutNow();
    const { random } = this.#options;
    const turns = random.below(random.oneIn(SLOW_ONE_IN) ? SLOW_TURNS_MAX : TURNS_MAX);
    for (let turn = 0; turn < turns; turn++) await undefined;
    if (this.#isCut) await new Promise<never>(() => {});
  }

  #handle(inode: Inode): FileHandleLayer {
    return {
      write: async (bytes, position) => {
        this.#writes++;
        const room = Math.max((this.#options.spaceBytes ?? Number.POSITIVE_INFINITY) - this.#written, 0);
        const isShort = this.#writes === this.#options.shortWrite;
        const fits = Math.min(bytes.length, room, isShort ? bytes.length >> 1 : bytes.length);
        this.#written += fits;
        // A power cut in the middle of the call can find the write begun or not.
        const op: Pending = { kind: 'write', position, bytes: new Uint8Array(bytes.subarray(0, fits)) };
        inode.cached = applyPending(inode.cached, op);
        inode.pending.push(op);
        await this.#turn();
        if (fits < bytes.length) throw new SystemError('ENOSPC', -28, 'no space left on device, write');
      },
      read: async (into, position) => {
        await this.#turn();
        const part = inode.cached.subarray(position, position + into.length);
        into.set(part);
        return part.length;
      },
      truncate: async (length) => {
        const op: Pending = { kind: 'truncate', length };
        inode.cached = applyPending(inode.cached, op);
        inode.pending.push(op);
        await this.#turn();
      },
      flush: async () => {
        const covered = inode.pending.length;
        await this.#turn();
        this.#flushes++;
        const done = inode.pending.splice(0, covered);
        if (this.#flushes === this.#options.failFlush) throw new SystemError('EIO', -5, 'i/o error, fdatasync');
        for (const op of done) inode.durable = applyPending(inode.durable, op);
      },
      close: () => this.#turn(),
    };
  }
}

function applyName(names: Map<string, Inode>, change: NameChange): void {
  switch (change.kind) {
    case 'link':
      names.set(change.path, change.inode);
      return;
    case 'unlink':
      if (names.get(change.path) === change.inode) names.delete(change.path);
      return;
    case 'rename':
      if (names.get(change.from) === change.inode) names.delete(change.from);
      names.set(change.to, change.inode);
      return;
    default:
      change satisfies never;
  }
}

function applyPending(contents: Uint8Array, op: Pending): Uint8Array {
  const length = op.kind === 'truncate' ? op.length : Math.max(contents.length, op.position + op.bytes.length);
  const changed = new Uint8Array(length);
  changed.set(contents.subarray(0, length));
  if (op.kind === 'write') changed.set(op.bytes, op.position);
  return changed;
}

/** What the disk holds of a file after the cut. */
function whatIsLeft(inode: Inode, stale: Uint8Array, random: Random): Uint8Array {
  let left = inode.durable;
  const order = [...inode.pending];
  if (random.oneIn(2)) shuffle(order, random);
  for (const op of order) {
    const fate = random.below(4);
    if (fate === 0) continue;
    left = applyPending(left, fate === 1 || op.kind === 'truncate' ? op : tear(op, left, stale, random));
  }
  return left;
}

function tear(op: Pending & { kind: 'write' }, left: Uint8Array, stale: Uint8Array, random: Random): Pending {
  const bytes = op.bytes.slice();
  const filling = random.below(3);
  let from = 0;
  while (from < bytes.length) {
    const to = Math.min(from + SECTOR_BYTES - ((op.position + from) % SECTOR_BYTES), bytes.length);
    if (random.oneIn(2)) {
      for (let i = from; i < to; i++) bytes[i] = unwritten(op.position + i, { left, stale, filling, random });
    }
    from = to;
  }
  // Also the length of the file can be behind.
  const kept = random.oneIn(2) ? bytes.length : random.below(bytes.length + 1);
  return { kind: 'write', position: op.position, bytes: bytes.subarray(0, kept) };
}

interface Filling {
  readonly left: Uint8Array;
  readonly stale: Uint8Array;
  readonly filling: number;
  readonly random: Random;
}

/** What stands where a write did not get to: the old byte, and past the old end zeros, blocks of another file, or anything. */
function unwritten(at: number, { left, stale, filling, random }: Filling): number {
  if (at < left.length) return left[at]!;
  if (filling === 0) return 0;
  return filling === 1 ? (stale[at] ?? 0) : random.below(256);
}

function shuffle<T>(list: T[], random: Random): void {
  for (let i = list.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    const kept = list[i]!;
    list[i] = list[j]!;
    list[j] = kept;
  }
}
