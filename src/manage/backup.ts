/**
 * A backup of the running server: state and configuration, and the identity only when that is asked for. Putting one back is no
 * operation, because the server must not run meanwhile: `twinlease restore` does it.
 */
import { isAbsolute } from 'node:path';
import { z } from 'zod';
import { defineOperation } from './define.ts';
import { failed, succeeded } from './operation.ts';
import * as params from './params.ts';
import { invalid, problem } from './problems.ts';

const PATH_UNITS_MAX = 4096;

const backupSchema = z.object({
  Path: z.string().describe('Directory on the server.'),
  MadeAt: z.int(),
  Bytes: z.int(),
  Files: z.int(),
  Sequence: z.int().describe('Newest commit of the store that is surely in it.'),
  Revision: z.int().describe('Revision of the configuration that was in force.'),
  StoreId: z.string(),
  Key: z.string(),
  IncludesIdentity: z.boolean(),
});

export const backup = defineOperation({
  name: 'backup.make',
  summary: 'Copies state and configuration of the running server into a new directory on the server.',
  examples: ['twinlease backup', 'twinlease backup /srv/backups/dhcp1-monday', 'twinlease backup --include-identity'],
  params: z.strictObject({
    ...params.common,
    Path: params.optionalText.describe(
      'Absolute path of a directory on the server that is new or empty; a new one below the data directory when absent.',
    ),
    IncludeIdentity: params.flag.describe('Copies the key, the secrets and the tokens of the server as well.'),
  }),
  result: backupSchema,
  changes: true,
  run: async ({ control, whatIf }, given) => {
    const { upkeep } = control;
    if (upkeep === undefined)
      return failed(problem(control, 'request/unknown-operation', { operation: 'backup.make' }));
    const path = given.Path ?? undefined;
    if (path !== undefined && (!isAbsolute(path) || path.length > PATH_UNITS_MAX || path.includes('\0'))) {
      return failed(invalid('Path', 'it is not an absolute path'));
    }
    const includeIdentity = given.IncludeIdentity === true;
    if (whatIf) {
      const place = await upkeep.backupPlace(path);
      if (place.kind === 'failed') return failed(place.problem);
      const what = includeIdentity
        ? 'state, configuration and identity'
        : 'state and configuration, without the identity';
      return succeeded({ whatIf: [`Copies ${what}, to ${place.path}.`] });
    }
    const made = await upkeep.backup({ path, includeIdentity });
    if (made.kind === 'failed') return failed(made.problem);
    const { manifest } = made;
    const warnings = manifest.hasIdentity ? [] : [problem(control, 'backup/without-identity', { path: made.path })];
    return succeeded(
      {
        Path: made.path,
        MadeAt: manifest.madeAt,
        Bytes: manifest.files.reduce((sum, file) => sum + file.bytes, 0),
        Files: manifest.files.length,
        Sequence: manifest.sequence,
        Revision: manifest.revision,
        StoreId: manifest.storeId,
        Key: manifest.key,
        IncludesIdentity: manifest.hasIdentity,
      },
      warnings,
    );
  },
});
