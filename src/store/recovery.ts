/**
 * Brings a store back: chooses the snapshot, gives it and the log's records to the sink, and afterwards repairs what a crash has
 * left. Reading comes first and changes nothing, so that a store that is refused is as it was.
 */
import { ShortWriteError } from './file-layer.ts';
import { HEADER_BYTES } from './format.ts';
import { type LogFile, type LogReplay, REFUSAL_ADVICE, readFully, replayLog } from './log-replay.ts';
import { readSnapshotFile, type SnapshotRead } from './snapshot-format.ts';
import type { FileHandleLayer, FileLayer, ReplaySink } from './store-types.ts';
import type { SnapshotFile, Survey } from './survey.ts';

type Bad = { readonly kind: 'bad'; readonly why: string };

export interface Recovered {
  readonly kind: 'ok';
  /** 0 when the log was replayed from its very beginning. */
  readonly snapshotSequence: number;
  /** Words about a newer snapshot that could not be used. */
  readonly fellBack: string | undefined;
  /** The log files that are needed from here on, ascending. */
  readonly logs: readonly LogFile[];
  readonly replay: Extract<LogReplay, { kind: 'ok' }>;
}

/** Reads everything into the sink. `survey` must hold at least one log file. */
export async function recover(
  layer: FileLayer,
  survey: Survey & { readonly storeId: Uint8Array },
  sink: ReplaySink,
): Promise<Recovered | Bad> {
  const chosen = await chooseSnapshot(layer, survey);
  if (chosen.kind === 'bad') return chosen;
  const from = chosen.file?.sequence ?? 1;
  const logs = neededLogs(survey.logs, from);
  if (logs.length === 0) {
    return {
      kind: 'bad',
      why: `the log file that holds frame ${from} is missing beside ${survey.logs[0]!.path}. ${REFUSAL_ADVICE}`,
    };
  }
  if (chosen.file !== undefined && chosen.contents !== undefined) {
    const why = restoreSnapshot(chosen.file, chosen.contents, sink);
    if (why !== undefined) return { kind: 'bad', why: `${chosen.file.path}: ${why}. ${REFUSAL_ADVICE}` };
  }
  const replay = await replayLog({
    layer,
    storeId: survey.storeId,
    files: logs,
    fromSequence: from,
    record: (bytes, sequence) => sink.record(bytes, sequence),
    mustEndWhole: survey.unfinishedLog !== undefined,
  });
  if (replay.kind === 'bad') return replay;
  const lastSequence = Math.max(chosen.contents?.lastSequence ?? 0, from - 1);
  if (replay.sequence < lastSequence) {
    const where = `${logs.at(-1)!.path}: the log ends at byte ${replay.endAt} with frame ${replay.sequence}`;
    return {
      kind: 'bad',
      why: `${where}, but ${chosen.file?.path} needs it up to frame ${lastSequence}. ${REFUSAL_ADVICE}`,
    };
  }
  return { kind: 'ok', snapshotSequence: from - 1, fellBack: chosen.fellBack, logs, replay };
}

type Chosen =
  | {
      readonly kind: 'ok';
      readonly file: SnapshotFile | undefined;
      readonly contents: Extract<SnapshotRead, { kind: 'ok' }> | undefined;
      readonly fellBack: string | undefined;
    }
  | Bad;

/** The newest whole snapshot whose log is there; none at all when the log reaches back to its first frame. */
async function chooseSnapshot(layer: FileLayer, survey: Survey): Promise<Chosen> {
  let fellBack: string | undefined;
  for (const file of survey.snapshots.toReversed()) {
    const read = await readSnapshotFile(layer, file.path, file.size);
    if (read.kind === 'ok') return { kind: 'ok', file, contents: read, fellBack };
    fellBack ??= `${file.path}: ${read.why}`;
  }
  if (survey.logs[0]!.firstSequence === 1) return { kind: 'ok', file: undefined, contents: undefined, fellBack };
  const what = fellBack ?? `the snapshot that the log from ${survey.logs[0]!.path} on needs is missing`;
  return { kind: 'bad', why: `${what}, and there is no older one that the log continues. ${REFUSAL_ADVICE}` };
}

/** The files from the one that holds the sequence on; older ones are leftovers of an interrupted removal. */
function neededLogs(logs: readonly LogFile[], sequence: number): readonly LogFile[] {
  const first = logs.findLastIndex((file) => file.firstSequence <= sequence);
  return first < 0 ? [] : logs.slice(first);
}

function restoreSnapshot(
  file: SnapshotFile,
  contents: Extract<SnapshotRead, { kind: 'ok' }>,
  sink: ReplaySink,
): string | undefined {
  const restored = sink.restore(contents.sections);
  if (restored.kind === 'bad') return `its sections cannot be taken back: ${restored.why}`;
  for (const [index, bytes] of contents.records.entries()) {
    const taken = sink.record(bytes, file.sequence - 1);
    if (taken.kind === 'bad') return `its extra record ${index} cannot be read: ${taken.why}`;
  }
  return undefined;
}

/**
 * Cuts the torn end, makes what was read durable, and removes leftovers. Answers the newest log file, open for appending.
 *
 * The last frame is written once more: when it is from a process whose flush failed, the kernel can hold it as clean although it
 * never reached the disk, and a flush alone would then promise what is not so.
 */
export async function repair(
  layer: FileLayer,
  dir: string,
  survey: Survey,
  recovered: Recovered,
): Promise<FileHandleLayer> {
  const newest = recovered.logs.at(-1)!;
  const { endAt, lastFrameAt } = recovered.replay;
  const handle = await layer.open(newest.path, 'append');
  try {
    if (newest.size > endAt) await handle.truncate(endAt);
    const last = Buffer.allocUnsafe((lastFrameAt === 0 ? HEADER_BYTES : endAt) - lastFrameAt);
    const count = await readFully(handle, last, lastFrameAt);
    if (count !== last.length) throw new ShortWriteError(count, last.length);
    await handle.write(last, lastFrameAt);
    await handle.flush();
    for (const path of survey.temporaries) await layer.unlink(path);
    if (survey.unfinishedLog !== undefined) await layer.unlink(survey.unfinishedLog);
    await layer.syncDirectory(dir);
  } catch (cause) {
    await handle.close();
    throw cause;
  }
  return handle;
}
