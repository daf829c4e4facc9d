/**
 * Tells when a file descriptor is readable, by libuv's own poll handle (`uv_poll`) on the main thread's loop. The native callback
 * does nothing but schedule an immediate: what is thrown in a koffi callback vanishes, and promises settled there are not run,
 * while an immediate is ordinary JavaScript, and comes right after the poll phase. The poll is level-triggered, so nothing is lost.
 */
import { isMainThread } from 'node:worker_threads';
import koffi from 'koffi';
import { assert } from '../../wire/units.ts';
import { type FixedMemory, fixedMemory, systemError } from './libc.ts';

/** `uv_handle_type` of a poll handle: stable over all libuv 1.x. */
const UV_POLL = 8;
const UV_READABLE = 1;

interface Uv {
  readonly loop: bigint;
  readonly pollSize: number;
  readonly pollCallback: bigint;
  readonly closeCallback: bigint;
  readonly init: (loop: bigint, handle: bigint, fd: number) => number;
  readonly start: (handle: bigint, events: number, callback: bigint) => number;
  readonly close: (handle: bigint, callback: bigint) => void;
}

let loaded: Uv | undefined;
const watchers = new Map<bigint, ReadWatcher>();
/** The memory of handles that libuv has not let go of yet. */
const closing = new Map<bigint, FixedMemory>();

/** A resource: `close` it before the descriptor is closed. */
export class ReadWatcher {
  private readonly memory: FixedMemory;
  private readonly onReadable: () => void;
  private readonly onFailure: (cause: Error) => void;
  private isScheduled = false;
  private isClosed = false;

  /**
   * `onReadable` is called in a turn of its own for as long as there is something to read; `onFailure` once, when polling has
   * ended for good. Throws the system error when the descriptor cannot be polled.
   */
  constructor(fd: number, onReadable: () => void, onFailure: (cause: Error) => void) {
    const uv = load();
    this.memory = fixedMemory(uv.pollSize);
    this.onReadable = onReadable;
    this.onFailure = onFailure;
    const begun = uv.init(uv.loop, this.memory.address, fd);
    if (begun < 0) throw systemError('uv_poll_init', begun);
    watchers.set(this.memory.address, this);
    const started = uv.start(this.memory.address, UV_READABLE, uv.pollCallback);
    if (started < 0) {
      this.close();
      throw systemError('uv_poll_start', started);
    }
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    watchers.delete(this.memory.address);
    closing.set(this.memory.address, this.memory);
    const uv = load();
    uv.close(this.memory.address, uv.closeCallback);
  }

  /** Called by the native callback only. */
  schedule(status: number): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    setImmediate(() => {
      this.isScheduled = false;
      if (this.isClosed) return;
      if (status < 0) this.onFailure(systemError('uv_poll', status));
      else this.onReadable();
    });
  }
}

function load(): Uv {
  if (loaded !== undefined) return loaded;
  assert(isMainThread, 'descriptors are polled on the main thread, whose loop is the default loop');
  const library = koffi.load(null);
  const pollType = koffi.pointer(koffi.proto('void (void *handle, int status, int events)'));
  const closeType = koffi.pointer(koffi.proto('void (void *handle)'));
  const loop = (library.func('void *uv_default_loop()') as () => bigint)();
  const handleSize = library.func('size_t uv_handle_size(int)') as (type: number) => number;
  loaded = {
    loop,
    pollSize: handleSize(UV_POLL),
    pollCallback: koffi.register(onPoll, pollType),
    closeCallback: koffi.register(onClosed, closeType),
    init: library.func('int uv_poll_init(void *, void *, int)') as Uv['init'],
    start: library.func('int uv_poll_start(void *, int, void *)') as Uv['start'],
    close: library.func('void uv_close(void *, void *)') as Uv['close'],
  };
  return loaded;
}

function onPoll(handle: bigint, status: number): void {
  try {
    watchers.get(handle)?.schedule(status);
  } catch (cause) {
    rethrow(cause);
  }
}

function onClosed(handle: bigint): void {
  try {
    closing.delete(handle);
  } catch (cause) {
    rethrow(cause);
  }
}

/** Out of the native callback, where a throw would be lost. */
function rethrow(cause: unknown): void {
  setImmediate(() => {
    throw cause;
  });
}
