/** A REST door over a server of plain objects, on a free port. */
import type { TestContext } from 'node:test';
import { openRestDoor } from '../../src/front/rest/rest-door.ts';
import { OPERATIONS } from '../../src/manage/registry.ts';
import type { Control } from '../../src/server/control.ts';
import type { CliSetup } from './cli-world.ts';

export const ADMINISTRATOR_TOKEN = 'administrator-token';
export const READER_TOKEN = 'reader-token';

export interface Answer {
  readonly status: number;
  readonly type: string | null;
  readonly headers: Headers;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface OpenDoor {
  readonly url: string;
  post(path: string, body: unknown, token?: string): Promise<Answer>;
  /** What the command line needs to reach this door. */
  readonly cli: CliSetup;
}

export async function openDoor(t: TestContext, control: Control): Promise<OpenDoor> {
  const door = await openRestDoor(control, {
    address: '127.0.0.1',
    port: 0,
    administratorToken: ADMINISTRATOR_TOKEN,
    readerToken: READER_TOKEN,
    operations: OPERATIONS,
  });
  t.after(() => door.close());
  const url = `http://127.0.0.1:${door.port}`;
  return {
    url,
    post: async (path, body, token = ADMINISTRATOR_TOKEN) =>
      await read(
        await fetch(`${url}/api/v1/${path}`, {
          method: 'POST',
          headers: { Authorization: `Bearer ${token}` },
          body: typeof body === 'string' ? body : JSON.stringify(body),
        }),
      ),
    cli: {
      env: { TWINLEASE_URL: url, TWINLEASE_TOKEN_FILE: '/token' },
      files: { '/token': ADMINISTRATOR_TOKEN },
      fetch: (address, init) => fetch(address, init),
    },
  };
}

export async function read(response: Response): Promise<Answer> {
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    headers: response.headers,
    body: (await response.json()) as Record<string, unknown>,
  };
}
