/**
 * Stopping the server by command. A short stop is announced as PAUSED, and partners wait for the return in COMMUNICATIONS-INTERRUPTED; a
 * long one as SHUTDOWN, and partners go to PARTNER-DOWN at once (failover specification 4.4).
 */
import { z } from 'zod';
import type { Relationship } from '../core/config/model.ts';
import { defineOperation } from './define.ts';
import { failed, succeeded } from './operation.ts';
import * as params from './params.ts';
import { problem } from './problems.ts';

export const stopServer = defineOperation({
  name: 'server.stop',
  summary: 'Stops the server in good order: its partners are told, and take over.',
  examples: ['twinlease server stop', 'twinlease server stop --long --force'],
  params: z.strictObject({
    ...params.common,
    Long: params.flag.describe(
      'It is away for long: partners take it for down at once, and it recovers from them on its return.',
    ),
    Force: params.force,
  }),
  result: z.null(),
  changes: true,
  confirm: (given) =>
    given.Long === true
      ? 'The server stops, and its partners go to PARTNER-DOWN at once. Go on?'
      : 'The server stops. Go on?',
  run: async ({ control, whatIf }, given) => {
    const isLong = given.Long === true;
    const { upkeep } = control;
    if (upkeep === undefined)
      return failed(problem(control, 'request/unknown-operation', { operation: 'server.stop' }));
    if (whatIf) {
      const lines = control.revision().config.relationships.map((one) => announcement(one, isLong));
      return succeeded({ whatIf: [...lines, 'The server stops.'] });
    }
    await upkeep.stop(isLong);
    return succeeded(null);
  },
});

/** Failover specification 2.5, 3.7: dhcpd keeps PAUSED until its operator ends it, and Windows knows neither. */
function announcement({ name, profile }: Relationship, isLong: boolean): string {
  const isHeard = isLong ? profile !== 'msft' : profile === 'twinlease' || profile === 'draft';
  if (!isHeard) return `Relationship ${name}: the partner notices that the connection ends.`;
  return `Relationship ${name}: the partner is told ${isLong ? 'SHUTDOWN, and goes on alone' : 'PAUSED'}.`;
}
