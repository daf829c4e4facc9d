/** Worker threads that run jobs one after another; the totals of each come back as they are done. */
import { Worker } from 'node:worker_threads';
import type { Totals } from '../../../src/sim/totals.ts';
import type { Job, JobDone } from './job.ts';

export interface Pool {
  /** Runs all jobs, in any order; `onDone` may answer false to begin no further ones. */
  run(jobs: Iterable<Job>, onDone: (job: Job, totals: Totals) => boolean): Promise<void>;
  close(): Promise<void>;
}

/**
 * A world throws away nearly all that it makes: with room for three times 64 MB the young are collected rarely, and few of them live to
 * be collected among the old.
 */
const YOUNG_MB_MAX = 192;

/** `script` is the compiled worker; a copy of the project has its own. */
export function makePool(workers: number, script: URL = new URL('./worker.js', import.meta.url)): Pool {
  const threads = Array.from(
    { length: workers },
    () => new Worker(script, { resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB_MAX } }),
  );
  return {
    async run(jobs, onDone) {
      const queue = jobs[Symbol.iterator]();
      let goesOn = true;
      const work = async (thread: Worker): Promise<void> => {
        for (let next = queue.next(); goesOn && next.done !== true; next = queue.next()) {
          const { totals } = await ask(thread, next.value);
          if (!onDone(next.value, totals)) goesOn = false;
        }
      };
      await Promise.all(threads.map(work));
    },
    async close() {
      await Promise.all(threads.map((thread) => thread.terminate()));
    },
  };
}

function ask(thread: Worker, job: Job): Promise<JobDone> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      thread.off('message', onMessage);
      thread.off('error', onError);
    };
    const onMessage = (done: JobDone): void => {
      settle();
      resolve(done);
    };
    const onError = (error: Error): void => {
      settle();
      reject(error);
    };
    thread.on('message', onMessage);
    thread.on('error', onError);
    thread.postMessage(job);
  });
}
