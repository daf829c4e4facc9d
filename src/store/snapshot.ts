/**
 * Takes one snapshot while the server goes on (design, part 3), under the rules that make a fuzzy copy right: the log is kept from the
 * sequence that was open before the copy began, and the file is installed only when the log is durable past the last change made
 * before the copy ended. Over the real files a worker thread writes; over a test's layer the same code runs in this thread.
 */
import { Worker } from 'node:worker_threads';
import type { SnapshotSection } from '../core/bindings/binding.ts';
import { nodeFileLayer } from './file-layer.ts';
import { type SectionBytes, type SnapshotHooks, type SnapshotJob, writeSnapshotFile } from './snapshot-format.ts';
import type { FileLayer } from './store-types.ts';

/** What the worker is started with; everything in it can cross to another thread. */
export interface WorkerJob {
  readonly job: Omit<SnapshotJob, 'sections'>;
  readonly sections: readonly SnapshotSection[];
}

/** From the worker: the sections are copied; the file is written and flushed; or why it is not. */
export type WorkerNews =
  | { readonly kind: 'copied' }
  | { readonly kind: 'written' }
  | { readonly kind: 'failed'; readonly why: string };

/** To the worker: the sequence that the end of the file names. */
export interface WorkerAnswer {
  readonly lastSequence: number;
}

export interface CopyHooks {
  /** Called once when the sections are copied; answers the sequence of the last change made until now. */
  copied(): number;
  /** Ends the job early, with a rejection, when it is aborted. */
  readonly signal: AbortSignal;
}

/** The sections as bytes over their shared memory. */
export function viewSections(sections: readonly SnapshotSection[]): SectionBytes[] {
  return sections.map(({ name, buffer, byteLength }) => ({ name, bytes: new Uint8Array(buffer, 0, byteLength) }));
}

/** Writes the file of a snapshot under the job's path and flushes it. It is not a snapshot before the caller renames it. */
export function writeSnapshot(layer: FileLayer, work: WorkerJob, hooks: CopyHooks): Promise<void> {
  if (layer === nodeFileLayer) return writeInWorker(work, hooks);
  const formatHooks: SnapshotHooks = { copied: () => hooks.copied(), isStopped: () => hooks.signal.aborted };
  return writeSnapshotFile(layer, { ...work.job, sections: viewSections(work.sections) }, formatHooks);
}

function writeInWorker(work: WorkerJob, hooks: CopyHooks): Promise<void> {
  return new Promise((done, failed) => {
    const worker = new Worker(new URL('./snapshot-worker.js', import.meta.url), { workerData: work });
    let outcome: Error | 'written' = new Error('the snapshot worker ended before its file was written');
    const abort = () => {
      outcome = new Error('the snapshot was given up because the store closes');
      void worker.terminate();
    };
    hooks.signal.addEventListener('abort', abort);
    worker.on('message', (news: WorkerNews) => {
      switch (news.kind) {
        case 'copied':
          worker.postMessage({ lastSequence: hooks.copied() } satisfies WorkerAnswer);
          return;
        case 'written':
          outcome = 'written';
          return;
        case 'failed':
          outcome = new Error(news.why);
          return;
        default:
          news satisfies never;
      }
    });
    worker.on('error', (cause) => {
      outcome = cause;
    });
    // Only after its end has the worker surely let go of the file.
    worker.on('exit', () => {
      hooks.signal.removeEventListener('abort', abort);
      if (outcome === 'written') done();
      else failed(outcome);
    });
    if (hooks.signal.aborted) abort();
  });
}
