/**
 * The command line as a client of the REST door: finds the server and its token, posts one operation, and tells a refusal from
 * a server that is not there. It sends the token nowhere but to the address it was given, and follows no redirect.
 */
import { join } from 'node:path';
import type { Operation } from '../../manage/operation.ts';
import { outerName } from '../rest/names.ts';
import { API_ROOT, pathOf } from '../rest/paths.ts';
import type { ProblemJson } from '../rest/problem-json.ts';
import type { CliWorld } from './world.ts';

export const DEFAULT_DATA_DIRECTORY = '/var/lib/twinlease';
/** The door gives up a request after 120 s; by then its answer is on the way or never comes. */
const CALL_TIMEOUT_MS = 130_000;

/** Options that every command which talks to the server has. */
export interface ConnectionOptions {
  readonly url?: string;
  readonly tokenFile?: string;
  readonly dataDir?: string;
}

export interface RestAnswer {
  readonly value: unknown;
  readonly warnings: readonly ProblemJson[];
  readonly errors: readonly ProblemJson[];
}

export type CallResult =
  | { readonly kind: 'ok'; readonly answer: RestAnswer }
  | { readonly kind: 'refused'; readonly status: number; readonly problem: ProblemJson }
  | { readonly kind: 'unreachable'; readonly why: string; readonly action: string }
  | { readonly kind: 'no-token'; readonly why: string; readonly action: string };

interface Door {
  readonly url: string;
  readonly token: string;
}

type Found = { readonly kind: 'door'; readonly door: Door } | Extract<CallResult, { kind: 'unreachable' | 'no-token' }>;

export interface Call {
  readonly operation: Pick<Operation, 'name'>;
  /** In Windows's spelling. */
  readonly params: Readonly<Record<string, unknown>>;
  readonly whatIf: boolean;
}

export async function callServer(world: CliWorld, options: ConnectionOptions, call: Call): Promise<CallResult> {
  const found = await findDoor(world, options);
  if (found.kind !== 'door') return found;
  const query = call.whatIf ? '?whatIf=true' : '';
  const body = Object.fromEntries(Object.entries(call.params).map(([name, value]) => [outerName(name), value]));
  return await post(world, found.door, `${pathOf(call.operation)}${query}`, JSON.stringify(body));
}

async function post(world: CliWorld, door: Door, path: string, body: string): Promise<CallResult> {
  try {
    const response = await world.fetch(`${door.url}${path}`, {
      method: 'POST',
      headers: {
        Authorization: `Bearer ${door.token}`,
        'Content-Type': 'application/json',
        'X-Twinlease-Door': 'cli',
      },
      body,
      redirect: 'error',
      signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
    });
    return readAnswer(door, response.status, await response.text());
  } catch (error) {
    return {
      kind: 'unreachable',
      why: `No answer from ${door.url}: ${causeOf(error)}.`,
      action: 'See that the server is running (`systemctl status twinlease`) and that the address is right.',
    };
  }
}

function readAnswer(door: Door, status: number, text: string): CallResult {
  const document = parseObject(text);
  if (status === 200 && document !== undefined && 'value' in document) {
    return {
      kind: 'ok',
      answer: {
        value: document['value'],
        warnings: problemsIn(document['warnings']),
        errors: problemsIn(document['errors']),
      },
    };
  }
  if (document !== undefined && typeof document['code'] === 'string' && typeof document['detail'] === 'string') {
    return { kind: 'refused', status, problem: document as unknown as ProblemJson };
  }
  return {
    kind: 'unreachable',
    why: `What answers at ${door.url} is not a Twinlease server (HTTP status ${status}).`,
    action: `Check --url; the API of a Twinlease server is below ${API_ROOT}.`,
  };
}

function problemsIn(value: unknown): readonly ProblemJson[] {
  return Array.isArray(value) ? (value as readonly ProblemJson[]) : [];
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** `fetch` hides the reason (refused, reset, no route) in the cause. */
function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return `nothing came within ${CALL_TIMEOUT_MS / 1000} s`;
  const cause = error.cause;
  if (!(cause instanceof Error)) return error.message;
  // A host with several addresses fails with one error for each and no words of its own.
  return cause instanceof AggregateError && cause.message === '' ? String(cause.errors[0]) : cause.message;
}

/** The option first, then the environment, then what the server left in its data directory. */
async function findDoor(world: CliWorld, options: ConnectionOptions): Promise<Found> {
  const dataDir = options.dataDir ?? world.env['TWINLEASE_DATA_DIR'] ?? DEFAULT_DATA_DIRECTORY;
  // A data directory named on the command line outranks what the environment says about another server.
  const isNamed = options.dataDir !== undefined;
  const url = options.url ?? (isNamed ? undefined : world.env['TWINLEASE_URL']) ?? (await runningUrl(world, dataDir));
  if (typeof url !== 'string') return url;
  if (!/^https?:\/\/[^/]/.test(url)) {
    return {
      kind: 'unreachable',
      why: `${url} is not an address of a REST door.`,
      action: 'Write it like http://127.0.0.1:8647.',
    };
  }
  const tokenFile =
    options.tokenFile ??
    (isNamed ? undefined : world.env['TWINLEASE_TOKEN_FILE']) ??
    join(dataDir, 'identity', 'rest-token');
  try {
    const token = (await world.readText(tokenFile)).trim();
    if (/^[\x21-\x7e]+$/.test(token)) return { kind: 'door', door: { url: url.replace(/\/+$/, ''), token } };
    return {
      kind: 'no-token',
      why: `${tokenFile} does not hold a token.`,
      action: 'Name the right file with --token-file.',
    };
  } catch (error) {
    return {
      kind: 'no-token',
      why: `The token cannot be read from ${tokenFile}: ${reasonOf(error)}.`,
      action: 'Run the command as root or as the service user, or name a file you may read with --token-file.',
    };
  }
}

async function runningUrl(
  world: CliWorld,
  dataDir: string,
): Promise<string | Extract<Found, { kind: 'unreachable' | 'no-token' }>> {
  const path = join(dataDir, 'state', 'running.json');
  try {
    const url = parseObject(await world.readText(path))?.['restUrl'];
    if (typeof url === 'string') return url;
    return {
      kind: 'unreachable',
      why: `${path} names no address.`,
      action: 'Start the server, or name it with --url.',
    };
  } catch (error) {
    const action = 'Start the server (`twinlease serve`), or name it with --url, TWINLEASE_URL or --data-dir.';
    if (isCode(error, 'EACCES') || isCode(error, 'EPERM')) {
      return {
        kind: 'no-token',
        why: `${path} cannot be read: ${reasonOf(error)}.`,
        action: 'Run the command as root or as the service user, or give --url and --token-file.',
      };
    }
    return { kind: 'unreachable', why: `No server has run with ${dataDir}: ${reasonOf(error)}.`, action };
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

function reasonOf(error: unknown): string {
  if (isCode(error, 'ENOENT')) return 'there is no such file';
  if (isCode(error, 'EACCES') || isCode(error, 'EPERM')) return 'this account may not read it';
  return error instanceof Error ? error.message : String(error);
}
