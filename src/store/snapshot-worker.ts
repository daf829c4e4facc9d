/**
 * The thread that writes one snapshot file from shared memory and ends. It knows nothing of the store: `snapshot.ts` starts it,
 * tells it the last sequence once the sections are copied, and installs the file.
 */
import { once } from 'node:events';
import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '../wire/units.ts';
import { nodeFileLayer } from './file-layer.ts';
import { viewSections, type WorkerAnswer, type WorkerJob, type WorkerNews } from './snapshot.ts';
import { writeSnapshotFile } from './snapshot-format.ts';

assert(parentPort !== null, 'the snapshot worker runs in a worker thread');
const port = parentPort;
const work = workerData as WorkerJob;
const tell = (news: WorkerNews) => port.postMessage(news);

try {
  await writeSnapshotFile(
    nodeFileLayer,
    { ...work.job, sections: viewSections(work.sections) },
    {
      async copied() {
        const answered = once(port, 'message');
        tell({ kind: 'copied' });
        const [answer] = (await answered) as [WorkerAnswer];
        return answer.lastSequence;
      },
      // The owner ends the thread instead.
      isStopped: () => false,
    },
  );
  tell({ kind: 'written' });
} catch (cause) {
  tell({ kind: 'failed', why: cause instanceof Error ? cause.message : String(cause) });
}
// An open port would keep the thread alive.
port.close();
