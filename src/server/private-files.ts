/**
 * What the identity directory holds beside the key: single tokens, and the shared secrets of relationships by reference. All of
 * it in files private to the service user (`store/identity-files.ts`).
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { readPrivate, writePrivate } from '../store/identity-files.ts';

/** The text of a private file; undefined when it does not exist. One that is not to be trusted throws, with words. */
export async function readPrivateText(path: string): Promise<string | undefined> {
  const read = await readPrivate(path);
  if (read.kind === 'bad') throw new Error(read.why);
  return read.kind === 'absent' ? undefined : Buffer.from(read.bytes).toString('utf8');
}

export async function writePrivateText(path: string, text: string): Promise<void> {
  await writePrivate(path, Buffer.from(text));
}

/** The token at the path, made on first use: 256 random bits, base64url. */
export async function tokenAt(path: string): Promise<string> {
  const present = (await readPrivateText(path))?.trim();
  if (present !== undefined && present !== '') return present;
  const token = randomBytes(32).toString('base64url');
  await writePrivateText(path, `${token}\n`);
  return token;
}

/** Shared secrets by reference. References are random and may be shown; the secrets never are. */
export class Secrets {
  readonly #path: string;
  readonly #byRef: Map<string, string>;
  /** One write after the other, so that the file on disk is never an older one than was promised. */
  #written: Promise<void> = Promise.resolve();

  private constructor(path: string, byRef: Map<string, string>) {
    this.#path = path;
    this.#byRef = byRef;
  }

  static async open(identityDirectory: string): Promise<Secrets> {
    const path = join(identityDirectory, 'secrets.json');
    const text = await readPrivateText(path);
    return new Secrets(
      path,
      new Map(text === undefined ? [] : Object.entries(JSON.parse(text) as Record<string, string>)),
    );
  }

  async put(secret: string): Promise<string> {
    const ref = randomBytes(8).toString('hex');
    this.#byRef.set(ref, secret);
    const written = this.#written.then(() =>
      writePrivateText(this.#path, JSON.stringify(Object.fromEntries(this.#byRef))),
    );
    // One that failed is told to its caller; the next one writes everything anew.
    this.#written = written.catch(() => undefined);
    await written;
    return ref;
  }

  has(ref: string): boolean {
    return this.#byRef.has(ref);
  }

  get(ref: string): string | undefined {
    return this.#byRef.get(ref);
  }
}
