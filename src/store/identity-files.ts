/**
 * Small private files, such as keys, tokens and secrets: written whole or not at all, and refused when others could read them.
 * They lie in the identity directory, which is lost and restored apart from the store (design, part 3).
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { FILE_MODE, isSystemError, nodeFileLayer } from './file-layer.ts';
import { TEMPORARY_SUFFIX } from './format.ts';

/** Nothing that is kept this way comes near it. */
export const PRIVATE_BYTES_MAX = 1024 * 1024;
/** Any right of group and others. */
const FOREIGN_RIGHTS = 0o077;

export type PrivateRead =
  | { readonly kind: 'ok'; readonly bytes: Uint8Array }
  | { readonly kind: 'absent' }
  | { readonly kind: 'bad'; readonly why: string };

/** Reads a private file. `bad` says in words why it is not to be trusted, or why the system does not give it. */
export async function readPrivate(path: string): Promise<PrivateRead> {
  try {
    // The rights are asked of the opened file, so that nobody can put another one in between.
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const found = await file.stat();
      if (!found.isFile()) return { kind: 'bad', why: `${path} is not a regular file` };
      if ((found.mode & FOREIGN_RIGHTS) !== 0) {
        const mode = (found.mode & 0o7777).toString(8).padStart(4, '0');
        return {
          kind: 'bad',
          why: `${path} has mode ${mode}, so others can read it. Make it private: chmod 600 ${path}`,
        };
      }
      if (found.uid !== process.geteuid?.() && found.uid !== 0) {
        return { kind: 'bad', why: `${path} belongs to user ${found.uid}, not to the user that this server runs as` };
      }
      if (found.size > PRIVATE_BYTES_MAX) return { kind: 'bad', why: `${path} is larger than any file of its kind` };
      return { kind: 'ok', bytes: new Uint8Array(await file.readFile()) };
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (!isSystemError(cause)) throw cause;
    if (cause.code === 'ENOENT') return { kind: 'absent' };
    if (cause.code === 'ELOOP') return { kind: 'bad', why: `${path} is a symbolic link, which is not followed` };
    return { kind: 'bad', why: `${path} cannot be read: ${cause.message}` };
  }
}

/** Writes a private file (mode 0600) and resolves when it is on disk with its name; its directory is made when absent. */
export async function writePrivate(path: string, bytes: Uint8Array): Promise<void> {
  if (bytes.length > PRIVATE_BYTES_MAX) throw new RangeError(`a private file has at most ${PRIVATE_BYTES_MAX} bytes`);
  const dir = dirname(path);
  await nodeFileLayer.mkdir(dir);
  // The name cannot be guessed and must be new, so that neither a planted file nor a second writer gets at the contents.
  const temporary = join(dir, `.${basename(path)}.${randomBytes(8).toString('hex')}${TEMPORARY_SUFFIX}`);
  const file = await open(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, FILE_MODE);
  try {
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (cause) {
    await unlink(temporary);
    throw cause;
  }
  await nodeFileLayer.syncDirectory(dir);
}
