/**
 * Keeps two processes from opening one store. The lock is `flock(2)` on the file `lock` in the directory: the kernel holds it for
 * the open file, so it ends with the process however that ends, and it holds between containers and network namespaces
 * that share the directory, where process numbers and abstract sockets do not.
 *
 * Where koffi has no binary or the file system has no flock, the file names its holder by process number, boot and start
 * time instead, and the lock is stale when that process is gone. Two processes that start in the same instant can both pass then.
 */
import { closeSync, constants, fstatSync, ftruncateSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { FILE_MODE, isSystemError } from './file-layer.ts';

export const LOCK_NAME = 'lock';

export type Locked =
  | { readonly kind: 'ok'; readonly release: () => void }
  | { readonly kind: 'bad'; readonly why: string };

/** Asks for the kernel's lock on an open file, without waiting. */
export type Flock = (descriptor: number) => 'locked' | 'held' | 'unsupported';

const LOCK_EX_NB = 2 | 4;
const EWOULDBLOCK = 11;
const LOCK_TEXT_BYTES_MAX = 256;

/** Takes the lock or answers who has it. A failed call of the system rejects. */
export async function lockDirectory(dir: string, flock?: Flock): Promise<Locked> {
  const path = join(dir, LOCK_NAME);
  const lock = flock ?? (await systemFlock());
  const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT, FILE_MODE);
  try {
    const answer = lock(descriptor);
    const holder = readText(descriptor);
    if (answer === 'held' || (answer === 'unsupported' && isAlive(holder))) {
      closeSync(descriptor);
      const who = holder === '' ? 'another process' : `process ${holder.split(' ')[0]}`;
      return {
        kind: 'bad',
        why: `${dir} is in use by ${who}. Two servers never share a state directory: stop that one, or give this one its own.`,
      };
    }
    ftruncateSync(descriptor, 0);
    writeSync(descriptor, identityOf(process.pid) ?? String(process.pid), 0);
  } catch (cause) {
    closeSync(descriptor);
    throw cause;
  }
  return { kind: 'ok', release: () => release(descriptor) };
}

function release(descriptor: number): void {
  // The name stays: removing it would let a third process lock a new file while a second one still waits on the old.
  ftruncateSync(descriptor, 0);
  closeSync(descriptor);
}

function readText(descriptor: number): string {
  const bytes = Buffer.alloc(Math.min(fstatSync(descriptor).size, LOCK_TEXT_BYTES_MAX));
  readSync(descriptor, bytes, 0, bytes.length, 0);
  return bytes.toString('latin1').trim();
}

/** Process number, boot and start time: a number that was given out again is another process. Undefined for a dead one. */
function identityOf(pid: number): string | undefined {
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  let status: string;
  try {
    status = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch (cause) {
    if (isSystemError(cause) && (cause.code === 'ENOENT' || cause.code === 'ESRCH')) return undefined;
    throw cause;
  }
  // proc(5): field 3 is the state and 22 the start time; field 2 is in brackets and can hold blanks.
  const fields = status.slice(status.lastIndexOf(')') + 2).split(' ');
  // A killed process whose parent has not asked for it yet holds no file any more.
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : `${pid} ${boot} ${fields[19]}`;
}

function isAlive(holder: string): boolean {
  const pid = Number(holder.split(' ')[0]);
  return Number.isSafeInteger(pid) && pid > 0 && identityOf(pid) === holder;
}

async function systemFlock(): Promise<Flock> {
  let koffi: typeof import('koffi').default;
  try {
    koffi = (await import('koffi')).default;
  } catch {
    // An optional binary: without it the names in the file have to do.
    return () => 'unsupported';
  }
  const call = koffi.load(null).func('int flock(int descriptor, int operation)');
  return (descriptor) => {
    if (call(descriptor, LOCK_EX_NB) === 0) return 'locked';
    return koffi.errno() === EWOULDBLOCK ? 'held' : 'unsupported';
  };
}
