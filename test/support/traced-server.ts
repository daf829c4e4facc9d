/**
 * A server under strace: what it asked of the kernel, in the order in which strace saw it. One call comes before another for
 * certain only when its end stands above the other's beginning, because a thread stands still at both until strace lets it go on.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ServerProcess } from '../../demo/server-process.ts';
import { eventually } from './eventually.ts';

const CALLS = [
  'pwrite64',
  'fdatasync',
  'write',
  'writev',
  'read',
  'sendto',
  'sendmsg',
  'sendmmsg',
  'recvfrom',
  'recvmsg',
  'recvmmsg',
];
/** The largest datagram, TLS record and frame of the log that such a run makes are shown whole. */
const STRING_BYTES_MAX = 65_536;
const TRACE_END_MS = 10_000;

export interface TracedCall {
  readonly name: string;
  /** What the descriptor was: the path of a file, or `socket:[inode]`. */
  readonly target: string;
  /** Places in the trace: the call had begun, and had ended. */
  readonly beganAt: number;
  readonly endedAt: number;
  /** Seconds since 1970 when it began. */
  readonly clockSec: number;
  readonly result: number;
  /** The bytes that it wrote or read: of each part on its own. */
  readonly parts: readonly Buffer[];
}

export class TracedServer {
  readonly server: ServerProcess;
  readonly #tracePath: string;
  readonly #secretsPath: string;

  constructor(directory: string, name: string, address: string) {
    this.#tracePath = join(directory, `${name}.trace`);
    this.#secretsPath = join(directory, `${name}.secrets`);
    // With -D the server is our own child, and strace a process beside it, so that killing the server kills the server.
    const strace = [
      'strace',
      '-D',
      '-f',
      '--seccomp-bpf',
      '-q',
      '-ttt',
      '-y',
      '-v',
      '-xx',
      '-s',
      String(STRING_BYTES_MAX),
    ];
    this.server = new ServerProcess({
      name,
      dataDirectory: join(directory, name),
      relayOnly: `${address}:0`,
      partnerAddress: address,
      prefix: [...strace, '-e', `trace=${CALLS.join(',')}`, '-o', this.#tracePath],
      environment: { NODE_OPTIONS: `--tls-keylog=${this.#secretsPath}` },
    });
  }

  /** Kills the server, and answers all that strace wrote of it. */
  async end(): Promise<string> {
    const { pid } = this.server;
    await this.server.kill();
    return await eventually('strace has written all', TRACE_END_MS, () => {
      const text = readFileSync(this.#tracePath, 'latin1');
      return new RegExp(`^${pid} +[0-9.]+ \\+\\+\\+ killed by SIGKILL`, 'm').test(text) ? text : undefined;
    });
  }

  /** The secrets of its TLS connections, as Node logs them. */
  secrets(): string {
    return readFileSync(this.#secretsPath, 'latin1');
  }
}

/** Reads the lines that strace wrote. Calls that never ended, or failed, are left out. */
export function readTrace(text: string): readonly TracedCall[] {
  const calls: TracedCall[] = [];
  const open = new Map<string, { readonly beganAt: number; readonly clockSec: number; readonly text: string }>();
  for (const [at, line] of text.split('\n').entries()) {
    const found = /^(\d+) +([0-9.]+) (.*)$/.exec(line);
    const [, pid = '', clock = '', rest = ''] = found ?? [];
    if (found === null) continue;
    const clockSec = Number(clock);
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest);
    if (rest.endsWith(' <unfinished ...>')) {
      open.set(pid, { beganAt: at, clockSec, text: rest.slice(0, -' <unfinished ...>'.length) });
      continue;
    }
    const begun = resumed === null ? { beganAt: at, clockSec, text: '' } : open.get(pid);
    if (begun === undefined) continue;
    if (resumed !== null) open.delete(pid);
    const call = readCall(
      `${begun.text}${resumed === null ? rest : (resumed[1] ?? '')}`,
      begun.beganAt,
      at,
      begun.clockSec,
    );
    if (call !== undefined) calls.push(call);
  }
  return calls;
}

function readCall(text: string, beganAt: number, endedAt: number, clockSec: number): TracedCall | undefined {
  const head = /^(\w+)\((\d+)<([^>]*)>/.exec(text);
  const result = Number(/\) += (-?\d+)[^"]*$/.exec(text)?.[1] ?? -1);
  if (head === null || result < 0) return undefined;
  const [start = '', name = '', , target = ''] = head;
  const rest = text.slice(start.length);
  const isVector = /^(?:writev|sendmsg|sendmmsg|recvmsg|recvmmsg)$/.test(name);
  const strings = isVector ? [...rest.matchAll(/iov_base="([^"]*)"/g)] : [...rest.matchAll(/^, "([^"]*)"/g)];
  return {
    name,
    target: unescaped(target).toString('latin1'),
    beganAt,
    endedAt,
    clockSec,
    result,
    parts: strings.map((found) => unescaped(found[1] ?? '')),
  };
}

/** `\x41\x42` as bytes; what is not escaped stands for itself. */
function unescaped(text: string): Buffer {
  return text.startsWith('\\x') ? Buffer.from(text.replaceAll('\\x', ''), 'hex') : Buffer.from(text, 'latin1');
}
