/**
 * A backup of a running server. A snapshot is taken first, and no other while files are copied: snapshots never change and logs
 * only grow, so the copy of both is a whole store as of the moment in which the newest log was read, its end perhaps torn as
 * after a crash. Revisions are copied after the log, because their files are durable before the log names them.
 */
import { rm, statfs } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import type { Problem } from '../core/problems/problem.ts';
import { isSystemError, nodeFileLayer } from '../store/file-layer.ts';
import { parseName } from '../store/format.ts';
import type { FileLayer } from '../store/store-types.ts';
import { toHex } from '../wire/units.ts';
import {
  type BackedUpFile,
  type BackupManifest,
  type BackupPart,
  CopyStopped,
  copyFile,
  MANIFEST_FILE,
} from './backup-format.ts';
import { writePrivateText } from './private-files.ts';

/** Left free on the disk: a server whose disk is full must end, and a backup is no reason for that. */
const FREE_BYTES_KEPT = 64 * 1024 * 1024;
/** Beside the store's own files: what an operator did, and inputs that are set aside. */
const OTHER_STATE_FILES: readonly string[] = ['audit.log', 'quarantine.json'];
const REVISION_FILE = /^revision-[0-9]{10}$/;
const IDENTITY_FILES: readonly string[] = [
  'key.pem',
  'certificate.pem',
  'identity-next.json',
  'secrets.json',
  'rest-token',
  'rest-reader-token',
];

/** A server as a backup needs it. */
export interface BackupSource {
  readonly directories: Readonly<Record<BackupPart, string>>;
  readonly layer: FileLayer;
  readonly head: () => Pick<BackupManifest, 'version' | 'serverName' | 'key' | 'sequence' | 'revision' | 'madeAt'> & {
    readonly storeId: Uint8Array;
  };
  /** Takes a snapshot, and no other one until `run` has ended. */
  withStillFiles<T>(run: () => Promise<T>): Promise<T>;
  readonly isStopping: () => boolean;
}

export interface BackupRequest {
  /** Absolute; undefined for a new directory below the data directory. */
  readonly path: string | undefined;
  readonly includeIdentity: boolean;
}

export type BackupOutcome =
  | { readonly kind: 'ok'; readonly path: string; readonly manifest: BackupManifest }
  | { readonly kind: 'failed'; readonly problem: Problem };

/** Where a backup would go, or why it cannot go there. Changes nothing. */
export async function backupPlace(
  source: Pick<BackupSource, 'directories' | 'head'>,
  path: string | undefined,
): Promise<{ readonly kind: 'ok'; readonly path: string } | { readonly kind: 'failed'; readonly problem: Problem }> {
  const chosen = resolve(path ?? join(dirname(source.directories.state), 'backups', stamp(source.head().madeAt)));
  const inside = Object.values(source.directories).find((own) => (chosen + sep).startsWith(resolve(own) + sep));
  if (inside !== undefined) return refused(chosen, `it lies inside ${inside}`);
  try {
    if ((await nodeFileLayer.list(chosen)).length > 0) return refused(chosen, 'it is there already and not empty');
  } catch (cause) {
    if (!isSystemError(cause)) throw cause;
    if (cause.code !== 'ENOENT') return refused(chosen, cause.message);
  }
  return { kind: 'ok', path: chosen };
}

/** Makes a backup; what it began is removed again when it fails. */
export async function makeBackup(source: BackupSource, request: BackupRequest): Promise<BackupOutcome> {
  const place = await backupPlace(source, request.path);
  if (place.kind === 'failed') return place;
  const { path } = place;
  const parts: readonly BackupPart[] = request.includeIdentity ? ['state', 'config', 'identity'] : ['state', 'config'];
  try {
    await nodeFileLayer.mkdir(path);
    const manifest = await source.withStillFiles(() => copyParts(source, path, parts));
    await writePrivateText(join(path, MANIFEST_FILE), `${JSON.stringify(manifest, null, 1)}\n`);
    return { kind: 'ok', path, manifest };
  } catch (cause) {
    if (!isSystemError(cause) && !(cause instanceof CopyStopped) && !(cause instanceof NoRoom)) throw cause;
    for (const name of [...parts, MANIFEST_FILE]) await rm(join(path, name), { recursive: true, force: true });
    return { kind: 'failed', problem: { code: 'backup/failed', slots: { path, why: cause.message }, target: path } };
  }
}

/** There is not enough room for the copy. */
class NoRoom extends Error {
  override readonly name = 'NoRoom';
}

async function copyParts(source: BackupSource, path: string, parts: readonly BackupPart[]): Promise<BackupManifest> {
  // Everything durable before this moment is in files that are listed after it.
  const { storeId, ...head } = source.head();
  await checkRoom(source, path, parts);
  const files: BackedUpFile[] = [];
  for (const part of parts) {
    await nodeFileLayer.mkdir(join(path, part));
    for (const name of await filesOf(source, part)) {
      const copied = await copyFile({
        from: source.layer,
        source: join(source.directories[part], name),
        target: join(path, part, name),
        isStopped: source.isStopping,
      });
      // The oldest revision may go while newer ones come.
      if (copied !== undefined) files.push({ path: `${part}/${name}`, ...copied });
    }
    await nodeFileLayer.syncDirectory(join(path, part));
  }
  const hasIdentity = parts.includes('identity');
  return { product: 'twinlease', formatVersion: 1, ...head, storeId: toHex(storeId), hasIdentity, files };
}

async function filesOf(source: BackupSource, part: BackupPart): Promise<string[]> {
  const names = (await source.layer.list(source.directories[part])).sort();
  switch (part) {
    case 'state':
      return names.filter((name) => parseName(name) !== undefined || OTHER_STATE_FILES.includes(name));
    case 'config':
      return names.filter((name) => REVISION_FILE.test(name));
    case 'identity':
      return names.filter((name) => IDENTITY_FILES.includes(name));
    default:
      return part satisfies never;
  }
}

async function checkRoom(source: BackupSource, path: string, parts: readonly BackupPart[]): Promise<void> {
  let wanted = FREE_BYTES_KEPT;
  for (const part of parts) {
    for (const name of await filesOf(source, part)) {
      wanted += (await source.layer.size(join(source.directories[part], name))) ?? 0;
    }
  }
  const { bavail, bsize } = await statfs(path);
  if (bavail * bsize < wanted) throw new NoRoom(`it needs ${wanted} bytes and ${bavail * bsize} are free`);
}

function refused(path: string, why: string): { kind: 'failed'; problem: Problem } {
  return { kind: 'failed', problem: { code: 'backup/bad-place', slots: { path, why }, target: 'Path' } };
}

/** `20260131T235959Z`: sorts by time and needs no quoting. */
export function stamp(atSec: number): string {
  return new Date(atSec * 1000).toISOString().replace(/[-:]|\.\d+/g, '');
}
