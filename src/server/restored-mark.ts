/**
 * The file that says that the state directory was put back from a backup. It lies there from before the restored store is first
 * opened until every relationship has durably begun to recover, so that an old copy is never taken for the present, whoever is
 * reachable at the start and however often the process ends before that.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { nodeFileLayer } from '../store/file-layer.ts';
import { readPrivateText, writePrivateText } from './private-files.ts';

export const RESTORED_FILE = 'restored.json';

const schema = z.object({ madeAt: z.int().min(0), restoredAt: z.int().min(0) });
/** Seconds since 1970: when the backup was made, and when it was put back. */
export type RestoredMark = z.infer<typeof schema>;

export async function writeRestoredMark(stateDirectory: string, mark: RestoredMark): Promise<void> {
  await writePrivateText(join(stateDirectory, RESTORED_FILE), `${JSON.stringify(mark)}\n`);
}

/** Undefined when the state was not put back. A mark that cannot be read is one all the same: its times are then 0. */
export async function readRestoredMark(stateDirectory: string): Promise<RestoredMark | undefined> {
  const text = await readPrivateText(join(stateDirectory, RESTORED_FILE));
  if (text === undefined) return undefined;
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    return { madeAt: 0, restoredAt: 0 };
  }
}

export async function removeRestoredMark(stateDirectory: string): Promise<void> {
  await rm(join(stateDirectory, RESTORED_FILE), { force: true });
  await nodeFileLayer.syncDirectory(stateDirectory);
}
