/**
 * The store as the server sees it: bytes in, durable bytes, bytes back. It knows frames, files and flushes, and nothing of
 * what the records mean (design, part 3).
 */
import type { SnapshotSource } from '../core/bindings/binding.ts';

/** The file operations that the store uses, so that tests can put a layer in between that drops, tears and reorders. */
export interface FileLayer {
  mkdir(path: string): Promise<void>;
  list(path: string): Promise<string[]>;
  /** Opens for appending and reading; `create` makes it with mode 0600 when absent, `exclusive` refuses an existing one. */
  open(path: string, how: 'read' | 'append' | 'create'): Promise<FileHandleLayer>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** Flushes the directory, so that created, renamed and removed names last. */
  syncDirectory(path: string): Promise<void>;
  size(path: string): Promise<number | undefined>;
}

export interface FileHandleLayer {
  /** Writes all of it at the position; a short write or an error rejects. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  read(into: Uint8Array, position: number): Promise<number>;
  truncate(length: number): Promise<void>;
  /** fdatasync */
  flush(): Promise<void>;
  close(): Promise<void>;
}

export interface StoreLimits {
  /** A frame takes records up to this many bytes; what waits beyond goes into the next. */
  readonly frameBytesMax: number;
  /** A log file is closed and the next begun above this size. */
  readonly logFileBytesMax: number;
  /** A snapshot is taken once this many bytes of log were written since the last. */
  readonly snapshotEveryBytes: number;
  /** Records waiting in memory; `append` refuses beyond (the caller sheds). */
  readonly waitingBytesMax: number;
  /** Copied out of a section at once by a snapshot; 1 MiB unless given. */
  readonly snapshotChunkBytes?: number;
}

export interface ReplayResult {
  /** Sequence of the newest whole frame; 0 for a new store. */
  readonly sequence: number;
  readonly frames: number;
  readonly records: number;
  /** Bytes cut from the torn end of the newest file; 0 normally. */
  readonly tornBytes: number;
  readonly snapshotSequence: number;
  readonly isNew: boolean;
  /** Words about a newest snapshot that was damaged, so that an older one with its log was used. */
  readonly fellBack?: string;
}

/** What replay calls, in order: sections of the snapshot, its extra records, then every record of later frames. */
export interface ReplaySink {
  restore: SnapshotSource['restore'];
  record(bytes: Uint8Array, sequence: number): { kind: 'ok' } | { kind: 'bad'; why: string };
}

export interface Store {
  /** 16 random bytes, made with the store. */
  readonly storeId: Uint8Array;
  /** Sequence that records appended now will become durable with. Grows by one for each commit. */
  readonly openSequence: number;
  readonly durableSequence: number;
  readonly waitingBytes: number;
  /**
   * Puts a record (kind octet and payload; copied) into the open frame and answers its sequence. The commit begins by itself:
   * at once when none is in flight and `kick` is called, else when the one in flight is done.
   * Answers -1 when `waitingBytesMax` would be passed, after a failure and after `close`: the record was not taken.
   */
  append(record: Uint8Array): number;
  /** Ends a batch of appends: starts the commit unless one is in flight. */
  kick(): void;
  /** Called after each completed flush with the durable sequence. */
  onDurable(listener: (sequence: number) => void): void;
  /** Called once; after it nothing becomes durable any more and the process must end (design, "no silent half-death"). */
  onFailed(listener: (cause: Error) => void): void;
  /** Resolves when everything appended so far is durable. */
  settled(): Promise<void>;
  /**
   * Takes a snapshot when due (or `force`): `extra` gives the records of everything that is not in the sections, as of the
   * moment of the call. Resolves when installed; one at a time.
   */
  snapshot(source: SnapshotSource, extra: () => readonly Uint8Array[], force?: boolean): Promise<void>;
  readonly isSnapshotDue: boolean;
  close(): Promise<void>;
}
/** `openStore(dir, layer, limits, sink): Promise<{kind:'ok', store, replay} | {kind:'bad', why}>` is in `store.ts`. */
