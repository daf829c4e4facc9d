/**
 * The REST front door: JSON in and out over HTTP, always authenticated by a token, on loopback unless told otherwise. It
 * translates to the operations of `manage` and back, and decides nothing.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { type HttpBindings, serve } from '@hono/node-server';
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { invoke } from '../../manage/define.ts';
import type { Operation } from '../../manage/operation.ts';
import type { Caller, Control } from '../../server/control.ts';
import { toInner, toOuter } from './names.ts';
import { openApi, parameterNames } from './openapi.ts';
import { API_ROOT, pathOf } from './paths.ts';
import { problemJson, problemsJson } from './problem-json.ts';

/** Greatest request body: a whole configuration with thousands of reservations fits. */
const BODY_BYTES_MAX = 16 * 1024 * 1024;
/** A wrong token is answered after this long, and only so many wait at a time. */
const WRONG_TOKEN_DELAY_MS = 500;
const WRONG_TOKENS_WAITING_MAX = 64;
const REQUEST_TIMEOUT_MS = 120_000;

export interface RestDoor {
  readonly port: number;
  close(): Promise<void>;
}

export interface RestOptions {
  readonly address: string;
  readonly port: number;
  readonly administratorToken: string;
  readonly readerToken: string;
  readonly operations: readonly Operation[];
  /** Methods for drills (cut a link), beside the operations; only on loopback. */
  readonly drills?: Readonly<Record<string, () => void>>;
}

type Env = { Bindings: HttpBindings };

export async function openRestDoor(control: Control, options: RestOptions): Promise<RestDoor> {
  const app = restApp(control, options);
  return await new Promise((resolve, reject) => {
    const server = serve(
      {
        fetch: app.fetch,
        hostname: options.address,
        port: options.port,
        serverOptions: { requestTimeout: REQUEST_TIMEOUT_MS },
      },
      (info) =>
        resolve({
          port: info.port,
          close: () =>
            new Promise<void>((closed) => {
              server.close(() => closed());
              if ('closeAllConnections' in server) server.closeAllConnections();
            }),
        }),
    );
    server.once('error', reject);
  });
}

function restApp(control: Control, options: RestOptions): Hono<Env> {
  const app = new Hono<Env>();
  const roleOf = tokenReader(options);
  app.use(
    '*',
    bodyLimit({
      maxSize: BODY_BYTES_MAX,
      onError: (c) => problem(c, { code: 'rest/body-too-large', slots: { bytesMax: BODY_BYTES_MAX } }),
    }),
  );
  app.use(`${API_ROOT}/*`, async (c, next) => {
    const role = await roleOf(c.req.header('authorization'));
    if (role === undefined) {
      c.header('WWW-Authenticate', 'Bearer realm="twinlease"');
      return problem(c, { code: 'rest/not-authenticated', slots: {} });
    }
    c.set('role' as never, role as never);
    await next();
    return undefined;
  });
  app.get(`${API_ROOT}/openapi.json`, (c) => c.json(openApi(options.operations, control.version)));
  for (const operation of options.operations) {
    const known = parameterNames(operation);
    app.post(pathOf(operation), (c) => perform(c, control, operation, known));
  }
  for (const [name, run] of Object.entries(options.drills ?? {})) {
    app.post(`${API_ROOT}/drill/${name}`, (c) => {
      run();
      return c.json({ value: null, warnings: [], errors: [] });
    });
  }
  app.notFound((c) => problem(c, { code: 'rest/no-such-path', slots: { path: c.req.path } }));
  app.onError((error, c) => {
    console.error(error);
    return problem(c, { code: 'server/internal', slots: {} });
  });
  return app;
}

async function perform(
  c: Context<Env>,
  control: Control,
  operation: Operation,
  known: readonly string[],
): Promise<Response> {
  const caller: Caller = {
    account: 'token',
    role: c.get('role' as never) as Caller['role'],
    door: c.req.header('x-twinlease-door') === 'cli' ? 'cli' : 'rest',
    address: c.env.incoming.socket.remoteAddress ?? '',
  };
  const body = await readBody(c);
  if (body.kind === 'bad') return problem(c, { code: 'rest/body-not-json', slots: { why: body.why } });
  const whatIf = ['true', '1', ''].includes(c.req.query('whatIf') ?? 'false');
  const outcome = await invoke({ control, caller, operation, params: toInner(body.value, known), whatIf });
  if (outcome.kind === 'failed') return problems(c, outcome.problems);
  return c.json({
    value: toOuter(outcome.value),
    warnings: outcome.warnings.map(problemJson),
    errors: outcome.errors.map(problemJson),
  });
}

async function readBody(
  c: Context<Env>,
): Promise<{ kind: 'ok'; value: Record<string, unknown> } | { kind: 'bad'; why: string }> {
  const text = await c.req.text();
  if (text.trim() === '') return { kind: 'ok', value: {} };
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return { kind: 'ok', value: value as Record<string, unknown> };
    return { kind: 'bad', why: 'the body must be a JSON object' };
  } catch (error) {
    return { kind: 'bad', why: error instanceof Error ? error.message : 'not JSON' };
  }
}

function tokenReader(options: RestOptions): (header: string | undefined) => Promise<Caller['role'] | undefined> {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  const known = [
    { digest: digest(options.administratorToken), role: 'administrator' as const },
    { digest: digest(options.readerToken), role: 'reader' as const },
  ];
  let waiting = 0;
  return async (header) => {
    const given = digest(/^Bearer (.+)$/i.exec(header ?? '')?.[1]?.trim() ?? '');
    let role: Caller['role'] | undefined;
    for (const candidate of known) if (timingSafeEqual(candidate.digest, given)) role = candidate.role;
    if (role === undefined && waiting < WRONG_TOKENS_WAITING_MAX) {
      waiting++;
      await new Promise((resolve) => setTimeout(resolve, WRONG_TOKEN_DELAY_MS));
      waiting--;
    }
    return role;
  };
}

function problem(c: Context<Env>, what: Parameters<typeof problemJson>[0]): Response {
  return problems(c, [what]);
}

function problems(c: Context<Env>, all: readonly Parameters<typeof problemJson>[0][]): Response {
  const document = problemsJson(all);
  return c.body(JSON.stringify(document), document.status as ContentfulStatusCode, {
    'Content-Type': 'application/problem+json',
  });
}
