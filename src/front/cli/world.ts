/**
 * Everything the command line touches outside itself: streams, environment, files, the network, a person at a terminal. Tests
 * supply their own; `processWorld` is the real one.
 */
import { createReadStream } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import process from 'node:process';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { decodePieces, decodeText } from '../../import/text-decoding.ts';

export interface TextOutput {
  readonly isTerminal: boolean;
  /** Width in columns; undefined where lines have no natural width. */
  readonly columns: number | undefined;
  write(text: string): void;
}

export interface CliWorld {
  readonly stdout: TextOutput;
  readonly stderr: TextOutput;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether somebody can be asked. */
  readonly isInteractive: boolean;
  fetch(url: string, init: RequestInit): Promise<Response>;
  /** Text of a file; `-` is the standard input. */
  readText(path: string): Promise<string>;
  /** The same piece by piece, for files that may be large; a byte order mark tells the encoding, which else is UTF-8. */
  readChunks(path: string): AsyncIterable<string>;
  writeText(path: string, text: string): Promise<void>;
  ask(question: string): Promise<string>;
  /** Asks without showing what is typed. */
  askSecret(question: string): Promise<string>;
  /** Sets the exit code that the process ends with when everything is written. */
  setExitCode(code: number): void;
  /** Ends the command line's work at once: help was shown, or the usage was wrong. */
  leave(code: number): never;
}

export function processWorld(): CliWorld {
  return {
    stdout: terminal(process.stdout),
    stderr: terminal(process.stderr),
    env: process.env,
    isInteractive: process.stdin.isTTY === true && process.stderr.isTTY === true,
    fetch: (url, init) => fetch(url, init),
    readText: async (path) => (path === '-' ? await readStandardInput() : decodeText(await readFile(path))),
    readChunks: (path) => decodePieces(path === '-' ? process.stdin : createReadStream(path)),
    writeText: async (path, text) => await writeFile(path, text),
    ask: (question) => askPerson(question, true),
    askSecret: (question) => askPerson(question, false),
    setExitCode: (code) => {
      process.exitCode = code;
    },
    leave: (code) => process.exit(code),
  };
}

function terminal(stream: NodeJS.WriteStream): TextOutput {
  // A reader that has seen enough (`| head`) closes the pipe; that is no failure of ours.
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  return {
    isTerminal: stream.isTTY === true,
    get columns() {
      return stream.isTTY === true ? stream.columns : undefined;
    },
    write: (text) => {
      stream.write(text);
    },
  };
}

/** Standard input is read whole; a configuration of this size holds thousands of reservations. */
const STANDARD_INPUT_BYTES_MAX = 16 * 1024 * 1024;

async function readStandardInput(): Promise<string> {
  const chunks: Buffer[] = [];
  let total = 0;
  for await (const chunk of process.stdin) {
    const bytes = Buffer.from(chunk as Uint8Array);
    total += bytes.length;
    if (total > STANDARD_INPUT_BYTES_MAX)
      throw new Error(`more than ${STANDARD_INPUT_BYTES_MAX} bytes on standard input`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Questions go to stderr, so that stdout stays what a program may read. */
async function askPerson(question: string, isShown: boolean): Promise<string> {
  let isMuted = false;
  const output = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      if (!isMuted) process.stderr.write(chunk);
      done();
    },
  });
  const lines = createInterface({ input: process.stdin, output, terminal: true });
  // Ctrl-C and Ctrl-D close the interface and leave its question pending for ever.
  const closed = new Promise<never>((_resolve, reject) => {
    lines.once('close', () => reject(new Error('no answer was given; nothing was changed')));
  });
  try {
    const answer = lines.question(question);
    isMuted = !isShown;
    return await Promise.race([answer, closed]);
  } finally {
    lines.close();
    if (!isShown) process.stderr.write('\n');
  }
}
