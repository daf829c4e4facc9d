/** A worker thread: takes jobs until its parent ends it. */
import { parentPort } from 'node:worker_threads';
import type { Job, JobDone } from './job.ts';
import { runJob } from './run-job.ts';

parentPort?.on('message', (job: Job) => {
  const done: JobDone = { totals: runJob(job) };
  parentPort?.postMessage(done);
});
