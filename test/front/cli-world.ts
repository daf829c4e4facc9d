/** Runs the command line inside the test's process, over a world made of plain values. */
import { buildProgram, type RestoreOptions, type ServeOptions } from '../../src/front/cli/program.ts';
import type { CliWorld } from '../../src/front/cli/world.ts';
import type { Operation } from '../../src/manage/operation.ts';
import { OPERATIONS } from '../../src/manage/registry.ts';

export interface CliSetup {
  readonly env?: Readonly<Record<string, string>>;
  /** Files by path; `-` is the standard input. An Error is what reading gives. */
  readonly files?: Readonly<Record<string, string | Error>>;
  /** Where what is written to files goes. */
  readonly written?: Map<string, string>;
  readonly fetch?: CliWorld['fetch'];
  /** What a person at the terminal answers, in order. Absent: nobody is there. */
  readonly answers?: readonly string[];
  readonly operations?: readonly Operation[];
}

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly questions: readonly string[];
  readonly served: ServeOptions | undefined;
  readonly restored: RestoreOptions | undefined;
}

const CHUNK_CHARACTERS = 1000;

class Left extends Error {
  readonly code: number;

  constructor(code: number) {
    super(`left with ${code}`);
    this.code = code;
  }
}

export async function runCli(args: readonly string[], setup: CliSetup = {}): Promise<CliResult> {
  let code = 0;
  const stdout: string[] = [];
  const stderr: string[] = [];
  let served: ServeOptions | undefined;
  let restored: RestoreOptions | undefined;
  const questions: string[] = [];
  const answers = [...(setup.answers ?? [])];
  const answer = async (question: string): Promise<string> => {
    questions.push(question);
    const next = answers.shift();
    if (next === undefined) throw new Error(`nobody answers: ${question}`);
    return next;
  };
  const world: CliWorld = {
    stdout: { isTerminal: false, columns: undefined, write: (text) => void stdout.push(text) },
    stderr: { isTerminal: false, columns: undefined, write: (text) => void stderr.push(text) },
    env: setup.env ?? {},
    isInteractive: setup.answers !== undefined,
    fetch:
      setup.fetch ??
      (async () => await Promise.reject(new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') }))),
    readText: async (path) => {
      const text = setup.files?.[path];
      if (typeof text === 'string') return text;
      throw text ?? Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' });
    },
    readChunks: async function* (path) {
      const text = await world.readText(path);
      // Pieces that cut through words and strings, as those of a large file do.
      for (let at = 0; at < text.length; at += CHUNK_CHARACTERS) yield text.slice(at, at + CHUNK_CHARACTERS);
    },
    writeText: async (path, text) => {
      setup.written?.set(path, text);
    },
    ask: answer,
    askSecret: answer,
    setExitCode: (given) => {
      code = given;
    },
    leave: (given) => {
      throw new Left(given);
    },
  };
  const handlers = {
    serve: async (options: ServeOptions) => {
      served = options;
    },
    restore: async (options: RestoreOptions) => {
      restored = options;
    },
    sim: async () => undefined,
  };
  try {
    await buildProgram(handlers, world, setup.operations ?? OPERATIONS).parseAsync(['node', 'twinlease', ...args]);
  } catch (error) {
    if (!(error instanceof Left)) throw error;
    code = error.code;
  }
  return { code, stdout: stdout.join(''), stderr: stderr.join(''), questions, served, restored };
}

/** The server and token that `answering` stands for. */
export const SERVER = {
  env: { TWINLEASE_URL: 'http://127.0.0.1:8647', TWINLEASE_TOKEN_FILE: '/token' },
  files: { '/token': 'secret-token\n' },
};

export interface Sent {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/** A server that answers everything with the same document, and keeps what it was sent. */
export function answering(
  status: number,
  document: unknown,
): { readonly sent: Sent[]; readonly fetch: CliWorld['fetch'] } {
  const sent: Sent[] = [];
  return {
    sent,
    fetch: async (url, init) => {
      sent.push({ url, headers: Object.fromEntries(new Headers(init.headers)), body: JSON.parse(String(init.body)) });
      return new Response(typeof document === 'string' ? document : JSON.stringify(document), { status });
    },
  };
}

export function done(value: unknown, errors: readonly unknown[] = [], warnings: readonly unknown[] = []): unknown {
  return { value, warnings, errors };
}
