/**
 * The shape of a backup: a directory with copies of `state`, `config` and perhaps `identity`, and a manifest that is written
 * last, so that a directory without one is no backup. Also the copying that making and restoring have in common.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { nodeFileLayer } from '../store/file-layer.ts';
import type { FileLayer } from '../store/store-types.ts';

export const MANIFEST_FILE = 'manifest.json';
/** Larger is no manifest of ours: it names each file in about 150 bytes. */
export const MANIFEST_BYTES_MAX = 4 * 1024 * 1024;
/** The parts of a data directory, in the order in which they are copied: the log names revisions, so these come after it. */
export const BACKUP_PARTS = ['state', 'config', 'identity'] as const;
export type BackupPart = (typeof BACKUP_PARTS)[number];

/** Hashing so many bytes takes about half a millisecond, which is what serving can be held up by a copy. */
const CHUNK_BYTES = 256 * 1024;
/** A disk that has more to flush at once makes the commits of the log wait. */
const FLUSH_EVERY_BYTES = 16 * 1024 * 1024;

const hex = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${bytes * 2}}$`));

export const manifestSchema = z.strictObject({
  product: z.literal('twinlease'),
  formatVersion: z.literal(1),
  /** Of the program that made it. */
  version: z.string().max(64),
  serverName: z.string().max(255),
  key: hex(32),
  storeId: hex(16),
  /** The newest commit that is surely in it. */
  sequence: z.int().min(0),
  /** Number of the configuration revision in force. */
  revision: z.int().min(1),
  /** Seconds since 1970. */
  madeAt: z.int().min(0),
  hasIdentity: z.boolean(),
  files: z
    .array(
      z.strictObject({
        /** Below the backup; a part and a plain name, so that nothing outside it is ever named. */
        path: z.string().regex(/^(?:state|config|identity)\/[A-Za-z0-9][A-Za-z0-9._-]{0,254}$/),
        bytes: z.int().min(0),
        sha256: hex(32),
      }),
    )
    .max(20_000),
});
export type BackupManifest = z.infer<typeof manifestSchema>;
export type BackedUpFile = BackupManifest['files'][number];

export interface CopyJob {
  readonly from: FileLayer;
  readonly source: string;
  readonly target: string;
  /** Asked before each chunk; true ends the copy. */
  readonly isStopped?: () => boolean;
}

/** The copy was given up because the server stops. */
export class CopyStopped extends Error {
  override readonly name = 'CopyStopped';
}

/**
 * Copies the bytes that the file has now, flushed and readable by this user alone. Undefined when there is no such file. The
 * target must be new. System errors reject.
 */
export async function copyFile(job: CopyJob): Promise<{ readonly bytes: number; readonly sha256: string } | undefined> {
  const size = await job.from.size(job.source);
  if (size === undefined) return undefined;
  const source = await job.from.open(job.source, 'read');
  try {
    const target = await nodeFileLayer.open(job.target, 'create');
    try {
      const hash = createHash('sha256');
      const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, Math.max(size, 1)));
      let at = 0;
      for (let unflushed = 0; at < size; ) {
        if (job.isStopped?.() === true) throw new CopyStopped('the server stops');
        const count = await source.read(chunk.subarray(0, Math.min(chunk.length, size - at)), at);
        if (count === 0) break;
        const bytes = chunk.subarray(0, count);
        hash.update(bytes);
        await target.write(bytes, at);
        at += count;
        unflushed += count;
        if (unflushed < FLUSH_EVERY_BYTES) continue;
        unflushed = 0;
        await target.flush();
      }
      await target.flush();
      return { bytes: at, sha256: hash.digest('hex') };
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}
