/**
 * Puts a backup back while the server is stopped. The copy is made beside the directories in use and opened once as the server
 * would open it; only then are the directories exchanged, state last, so that a crash in between leaves a server without a
 * store, which recovers, and never an old one that is taken for the present. What was there before is kept aside.
 */
import { randomBytes } from 'node:crypto';
import { chown, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isSystemError, nodeFileLayer } from '../store/file-layer.ts';
import { LOCK_NAME, lockDirectory } from '../store/lock.ts';
import { openRevisions } from '../store/revisions.ts';
import { DEFAULT_STORE_LIMITS } from '../store/store.ts';
import { stamp } from './backup.ts';
import {
  BACKUP_PARTS,
  type BackupManifest,
  type BackupPart,
  copyFile,
  MANIFEST_BYTES_MAX,
  MANIFEST_FILE,
  manifestSchema,
} from './backup-format.ts';
import { replayStore } from './replay.ts';
import { writeRestoredMark } from './restored-mark.ts';

export interface RestoreOptions {
  /** Directory that `backup` made. */
  readonly backup: string;
  /** Holds `state`, `config` and `identity` of the server. */
  readonly dataDirectory: string;
  /** Replaces what is there; it is kept aside. */
  readonly force: boolean;
  readonly nowSec: number;
}

export type Restored =
  | {
      readonly kind: 'ok';
      readonly manifest: BackupManifest;
      /** Directories that were there before, under their new names. */
      readonly keptAside: readonly string[];
      /** `absent`: neither the backup nor the data directory has one, so that a new one is made at the next start. */
      readonly identity: 'restored' | 'kept' | 'absent';
      /** Relationships that recover from their partners at the next start. */
      readonly relationships: readonly string[];
    }
  /** Nothing was changed, unless `why` says where a step ended. */
  | { readonly kind: 'bad'; readonly why: string };

type Bad = { readonly kind: 'bad'; readonly why: string };

export async function restoreBackup(options: RestoreOptions): Promise<Restored> {
  try {
    const read = await readManifest(options.backup);
    if (read.kind === 'bad') return read;
    return await withLock(join(options.dataDirectory, 'state'), () => restoreLocked(options, read.manifest));
  } catch (cause) {
    if (!isSystemError(cause)) throw cause;
    return { kind: 'bad', why: cause.message };
  }
}

async function readManifest(backup: string): Promise<{ kind: 'ok'; manifest: BackupManifest } | Bad> {
  const path = join(backup, MANIFEST_FILE);
  const size = await nodeFileLayer.size(path);
  if (size === undefined) return { kind: 'bad', why: `${backup} is no backup: it has no ${MANIFEST_FILE}` };
  if (size > MANIFEST_BYTES_MAX) return { kind: 'bad', why: `${path} is larger than any manifest` };
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    if (isSystemError(cause)) throw cause;
    return { kind: 'bad', why: `${path} cannot be read as JSON` };
  }
  const parsed = manifestSchema.safeParse(value);
  if (parsed.success) return { kind: 'ok', manifest: parsed.data };
  const issue = parsed.error.issues[0];
  const where = issue?.path.map(String).join('.') ?? '';
  return {
    kind: 'bad',
    why: `${path} is not a manifest that this release understands: ${where} ${issue?.message ?? ''}`,
  };
}

/** Two servers never share a state directory, and a restore never replaces that of a running one. */
async function withLock(stateDirectory: string, run: () => Promise<Restored>): Promise<Restored> {
  if (!(await isThere(stateDirectory))) return await run();
  const locked = await lockDirectory(stateDirectory);
  if (locked.kind === 'bad') return { kind: 'bad', why: `${locked.why} Stop the server before a restore.` };
  try {
    return await run();
  } finally {
    locked.release();
  }
}

async function restoreLocked(options: RestoreOptions, manifest: BackupManifest): Promise<Restored> {
  const { dataDirectory } = options;
  const present = await filledParts(dataDirectory);
  const inTheWay = (['state', 'config'] as const).filter((part) => present.has(part));
  if (inTheWay.length > 0 && !options.force) {
    const what = inTheWay.map((part) => join(dataDirectory, part)).join(' and ');
    return { kind: 'bad', why: `${what} would be replaced. Give --force; what is there is kept aside.` };
  }
  // An identity is what partners know this machine by: one that is there stays.
  const takesIdentity = manifest.hasIdentity && !present.has('identity');
  const parts = BACKUP_PARTS.filter((part) => part !== 'identity' || takesIdentity);
  const staging = join(dataDirectory, `restoring-${randomBytes(4).toString('hex')}`);
  try {
    const copied = await copyVerified(options.backup, staging, { manifest, parts });
    if (copied.kind === 'bad') return copied;
    const opened = await tryOpen(staging, manifest, options.nowSec);
    if (opened.kind === 'bad') return opened;
    await writeRestoredMark(join(staging, 'state'), { madeAt: manifest.madeAt, restoredAt: options.nowSec });
    await giveToService(dataDirectory, staging);
    const keptAside = await exchange(dataDirectory, staging, { parts, suffix: `replaced-${stamp(options.nowSec)}` });
    const identity = takesIdentity ? 'restored' : present.has('identity') ? 'kept' : 'absent';
    return { kind: 'ok', manifest, keptAside, identity, relationships: opened.relationships };
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

async function filledParts(dataDirectory: string): Promise<ReadonlySet<BackupPart>> {
  const found = new Set<BackupPart>();
  for (const part of BACKUP_PARTS) {
    const path = join(dataDirectory, part);
    if (!(await isThere(path))) continue;
    const names = await nodeFileLayer.list(path);
    if (names.some((name) => name !== LOCK_NAME)) found.add(part);
  }
  return found;
}

/** Copies the files of the manifest and compares each with what was written down of it. */
async function copyVerified(
  backup: string,
  staging: string,
  wanted: { readonly manifest: BackupManifest; readonly parts: readonly BackupPart[] },
): Promise<{ kind: 'ok' } | Bad> {
  for (const part of wanted.parts) await nodeFileLayer.mkdir(join(staging, part));
  for (const file of wanted.manifest.files) {
    if (!wanted.parts.some((part) => file.path.startsWith(`${part}/`))) continue;
    const source = join(backup, file.path);
    const copied = await copyFile({ from: nodeFileLayer, source, target: join(staging, file.path) });
    if (copied === undefined) return { kind: 'bad', why: `the backup is not whole: ${source} is missing` };
    if (copied.bytes !== file.bytes || copied.sha256 !== file.sha256) {
      return { kind: 'bad', why: `the backup is damaged: ${source} is not what was written` };
    }
  }
  for (const part of wanted.parts) await nodeFileLayer.syncDirectory(join(staging, part));
  return { kind: 'ok' };
}

/** Opens the copy as the server will. This also cuts a torn end and drops a revision that was never in force. */
async function tryOpen(
  staging: string,
  manifest: BackupManifest,
  nowSec: number,
): Promise<{ kind: 'ok'; relationships: string[] } | Bad> {
  const revisions = await openRevisions(join(staging, 'config'), nodeFileLayer);
  if ((await revisions.list()).length === 0) return { kind: 'bad', why: 'the backup holds no configuration' };
  const replayed = await replayStore({
    stateDirectory: join(staging, 'state'),
    layer: nodeFileLayer,
    limits: DEFAULT_STORE_LIMITS,
    revisions,
    serverName: manifest.serverName,
    nowSec,
    seed: 0,
  });
  if (replayed.kind === 'bad') return { kind: 'bad', why: `the backup cannot be opened: ${replayed.why}` };
  const { store, replay, revision } = replayed.value;
  await store.close();
  if (replay.sequence < manifest.sequence) {
    const why = `it ends with commit ${replay.sequence}, and its manifest names ${manifest.sequence}`;
    return { kind: 'bad', why: `the backup is not whole: ${why}` };
  }
  return { kind: 'ok', relationships: revision.config.relationships.map((one) => one.name) };
}

/** A restore by root leaves the files to whom the data directory belongs, because the service could not read them else. */
async function giveToService(dataDirectory: string, staging: string): Promise<void> {
  if (process.geteuid?.() !== 0) return;
  const { uid, gid } = await stat(dataDirectory);
  for (const name of await readdir(staging, { recursive: true })) await chown(join(staging, name), uid, gid);
}

/** First everything old out of the way, state before the rest; then the new in, state after the rest. */
async function exchange(
  dataDirectory: string,
  staging: string,
  how: { readonly parts: readonly BackupPart[]; readonly suffix: string },
): Promise<string[]> {
  const keptAside: string[] = [];
  for (const part of how.parts) {
    const path = join(dataDirectory, part);
    if (!(await isThere(path))) continue;
    const aside = join(dataDirectory, `${part}.${how.suffix}`);
    await nodeFileLayer.rename(path, aside);
    await nodeFileLayer.syncDirectory(dataDirectory);
    keptAside.push(aside);
  }
  for (const part of [...how.parts].reverse()) {
    await nodeFileLayer.rename(join(staging, part), join(dataDirectory, part));
    await nodeFileLayer.syncDirectory(dataDirectory);
  }
  return keptAside;
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (cause) {
    if (isSystemError(cause) && cause.code === 'ENOENT') return false;
    throw cause;
  }
}
