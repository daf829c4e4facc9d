/**
 * The end of a doubt about the clock by an operator's word (design, part 2 "Two clocks"). With a partner in contact that agrees, none
 * is needed.
 */
import { z } from 'zod';
import { defineOperation } from './define.ts';
import { failed, succeeded } from './operation.ts';
import * as params from './params.ts';
import { problem } from './problems.ts';

export const trustClock = defineOperation({
  name: 'server.trust-clock',
  summary: 'Takes the clock of the machine for right when this server doubts it.',
  examples: ['twinlease server trust-clock --what-if', 'twinlease server trust-clock'],
  params: z.strictObject({ ...params.common, Force: params.force }),
  result: z.object({
    Now: z.int(),
    Doubt: z.string().nullable().describe('The doubt that was ended; null when there was none.'),
  }),
  changes: true,
  confirm: () => 'Leases that have ended by this clock end at once, and their addresses can go to others. Is it right?',
  run: async ({ control, whatIf }) => {
    const { upkeep } = control;
    if (upkeep === undefined)
      return failed(problem(control, 'request/unknown-operation', { operation: 'server.trust-clock' }));
    const doubt = upkeep.clockDoubt();
    const shown = doubt === undefined ? null : `${doubt.kind}, ${doubt.bySec} s`;
    if (whatIf) {
      const line = shown === null ? 'Nothing would change.' : `Ends the doubt about the clock (${shown}).`;
      return succeeded({ whatIf: [line] });
    }
    if (doubt !== undefined) await upkeep.trustClock();
    return succeeded({ Now: control.now().wallAt, Doubt: shown });
  },
});
