/** `twinlease restore`: puts a backup back and says what the next start will do with it. A part of `main.ts`. */
import process from 'node:process';
import { EXIT } from './front/cli/exit-codes.ts';
import type { RestoreOptions } from './front/cli/program.ts';
import { type Restored, restoreBackup } from './server/restore.ts';

export async function restore(options: RestoreOptions): Promise<void> {
  const restored = await restoreBackup({
    backup: options.backup,
    dataDirectory: options.dataDir,
    force: options.force,
    nowSec: Math.floor(Date.now() / 1000),
  });
  if (restored.kind === 'bad') {
    process.stderr.write(`twinlease: ${restored.why}\n`);
    process.exitCode = EXIT.refused;
    return;
  }
  const text = options.json ? JSON.stringify(answerOf(restored), undefined, 2) : linesOf(restored).join('\n');
  process.stdout.write(`${text}\n`);
}

type Done = Extract<Restored, { kind: 'ok' }>;

function answerOf({ manifest, keptAside, identity, relationships }: Done): unknown {
  const { serverName, madeAt, sequence, revision } = manifest;
  return { serverName, madeAt, sequence, revision, keptAside, identity, relationships };
}

function linesOf({ manifest, keptAside, identity, relationships }: Done): string[] {
  const madeAt = new Date(manifest.madeAt * 1000).toISOString();
  const lines = [
    `The backup of ${manifest.serverName} from ${madeAt} is in place, with revision ${manifest.revision}.`,
  ];
  for (const path of keptAside) lines.push(`What was there is kept in ${path}.`);
  lines.push(IDENTITY_LINES[identity]);
  if (relationships.length === 0) lines.push('There is no partner: what happened since the backup is lost.');
  for (const name of relationships) {
    lines.push(`Relationship ${name} recovers from its partner at the next start, and serves once that is done.`);
  }
  return lines;
}

const IDENTITY_LINES: Readonly<Record<Done['identity'], string>> = {
  restored: 'The identity came back with it.',
  kept: 'The identity of this machine stays as it is.',
  absent:
    'There is no identity: a new one is made at the next start. Then run `twinlease pair invite` here and `twinlease pair rejoin` on the partner.',
};
