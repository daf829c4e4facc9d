/**
 * Why a client got its answer, or none: the decision traces of its last packets.
 */
import { z } from 'zod';
import { fromHex, parseIp4, toHex } from '../wire/units.ts';
import { defineOperation } from './define.ts';
import { failed, succeeded } from './operation.ts';
import * as params from './params.ts';
import { invalid } from './problems.ts';

const traceSchema = z.object({
  At: z.int(),
  MessageType: z.string(),
  Hardware: z.string(),
  ClientId: z.string().nullable(),
  Relay: z.string().nullable(),
  ScopeId: z.string().nullable(),
  Outcome: z.string(),
  Reason: z.string(),
  Steps: z.array(z.string()),
});

export const why = defineOperation({
  name: 'why',
  summary: 'Shows what was decided on a client’s last packets, and why.',
  examples: ['twinlease why 00-15-5d-01-02-03', 'twinlease why 10.0.1.20'],
  params: z.strictObject({
    ...params.common,
    Client: z.string().describe('Hardware address, client identifier or address.'),
  }),
  result: z.array(traceSchema),
  changes: false,
  run: async ({ control }, given) => {
    const text = given.Client.trim();
    const address = parseIp4(text);
    const bytes = fromHex(text);
    if (address === undefined && (bytes === undefined || bytes.length === 0)) {
      return failed(invalid('Client', 'it is neither an address nor hexadecimal'));
    }
    const traces = control.traces(address === undefined && bytes !== undefined ? toHex(bytes) : text);
    return succeeded(
      traces.map((trace) => ({
        At: trace.at,
        MessageType: trace.messageType,
        Hardware: trace.hardware,
        ClientId: trace.clientId,
        Relay: trace.relay,
        ScopeId: trace.scopeId,
        Outcome: trace.outcome,
        Reason: trace.reason,
        Steps: [...trace.steps],
      })),
    );
  },
});
