/**
 * Taking over the leases of another server: each becomes a binding as if this server had granted it, or is refused with a
 * reason (`core/serving/import-lease.ts`). Importing the same leases again changes nothing.
 */
import { z } from 'zod';
import type { Problem } from '../core/problems/problem.ts';
import type { ImportRefusal, ImportVerdict, LeaseToImport } from '../core/serving/serving-types.ts';
import { hardwareKey } from '../wire/dhcp/build.ts';
import { type EpochSec, formatIp4, fromHex, parseIp4 } from '../wire/units.ts';
import { defineOperation } from './define.ts';
import { failed, type OperationContext, type Outcome, succeeded, type WhatIfReport } from './operation.ts';
import * as params from './params.ts';
import { invalid } from './problems.ts';

/** Leases in one call; a longer list is sent in several. */
export const IMPORT_LEASES_MAX = 5000;
/** Leases decided between two looks at clients and partners: some milliseconds of work, and one commit. */
const TURN_MAX = 250;
/** A host name and a client identifier fit one option. */
const NAME_BYTES_MAX = 255;
/** The field chaddr. */
const HARDWARE_HEX_MAX = 32;
const PROBLEMS_MAX = 20;

/** Why a lease was not taken over, as operators read it. */
export const REFUSALS: Readonly<Record<ImportRefusal, string>> = {
  'unknown-scope': 'no scope of this server holds the address',
  'outside-pool': 'the address is outside the range of its scope',
  excluded: 'the address is excluded from its scope',
  reserved: 'the address is reserved for another client',
  held: 'another client holds the address',
  over: 'the lease is over',
  newer: 'this server has dealt with the address since, and that is over too',
  'set-aside': 'the address is set aside here because a client declined it',
  partners: 'the address is the failover partner’s to give: import the lease there',
  unsettled: 'an older lease of the address is over and waits for the failover partner’s agreement',
  'not-serving': 'this server does not serve the scope in its present failover state',
};
const REASONS = Object.keys(REFUSALS) as [ImportRefusal, ...ImportRefusal[]];

const hex = z.string().regex(/^([0-9a-f]{2})*$/, 'It is not lower-case hexadecimal');

const leaseSchema = z.strictObject({
  address: z.string(),
  state: z.enum(['active', 'declined']),
  clientIdHex: hex.max(2 * NAME_BYTES_MAX).nullable(),
  htype: z.int().min(0).max(255),
  hardwareHex: hex.max(HARDWARE_HEX_MAX),
  hostName: z.string().max(NAME_BYTES_MAX),
  startAt: params.uint32,
  endAt: params.uint32,
});

/** `ImportedLease` as it comes through a door. */
type GivenLease = z.infer<typeof leaseSchema>;

const importResult = z.object({
  Made: z.int().describe('Leases that this server has taken over.'),
  Present: z.int().describe('Leases that this server had already, or knows better.'),
  Refused: z.array(
    z.object({
      IPAddress: z.string(),
      Reason: z.enum(REASONS),
      Text: z.string(),
    }),
  ),
  PartnerUntold: z
    .int()
    .describe(
      'Leases of Made that run longer than the maximum client lead time and that the partner could not be told yet.',
    ),
});
export type ImportResult = z.infer<typeof importResult>;

export const importLeases = defineOperation({
  name: 'import.leases',
  summary: 'Takes over leases that another DHCP server gave.',
  examples: ['twinlease call import.leases --params-file leases.json --what-if'],
  params: z.strictObject({
    ...params.common,
    Leases: z
      .array(leaseSchema)
      .max(IMPORT_LEASES_MAX)
      .describe(`At most ${IMPORT_LEASES_MAX} leases, as a reader of another server’s files makes them.`),
  }),
  result: importResult,
  changes: true,
  run: async (context, given) => {
    const read = readLeases(given.Leases);
    if (read.kind === 'bad') return failed(...read.problems);
    return await takeOver(context, read.leases);
  },
});

async function takeOver(
  { control, whatIf }: OperationContext,
  leases: readonly LeaseToImport[],
): Promise<Outcome<ImportResult | WhatIfReport>> {
  const result: ImportResult = { Made: 0, Present: 0, Refused: [], PartnerUntold: 0 };
  for (let from = 0; from < leases.length; from += TURN_MAX) {
    const some = leases.slice(from, from + TURN_MAX);
    const verdicts = await control.importLeases(some, whatIf);
    some.forEach((lease, i) => {
      count(result, lease, verdicts[i]);
    });
    // Where nothing had to be written the answer was there at once, and clients and partners still wait.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return succeeded(whatIf ? { whatIf: whatWouldBe(result) } : result);
}

function count(result: ImportResult, lease: LeaseToImport, verdict: ImportVerdict | undefined): void {
  switch (verdict?.kind) {
    case 'made':
      result.Made++;
      if (verdict.isPartnerUntold) result.PartnerUntold++;
      break;
    case 'present':
      result.Present++;
      break;
    case 'refused':
      result.Refused.push({ IPAddress: formatIp4(lease.address), Reason: verdict.why, Text: REFUSALS[verdict.why] });
      break;
    case undefined:
      break;
    default:
      verdict satisfies never;
  }
}

function whatWouldBe({ Made, Present, Refused }: ImportResult): string[] {
  const lines = [`Takes over ${Made} leases; ${Present} are here already; refuses ${Refused.length}.`];
  for (const reason of REASONS) {
    const some = Refused.filter((one) => one.Reason === reason);
    if (some.length > 0) lines.push(`Refuses ${some.length} because ${REFUSALS[reason]}: ${shown(some)}.`);
  }
  return lines;
}

const SHOWN_MAX = 5;

function shown(refused: ImportResult['Refused']): string {
  const more = refused.length - SHOWN_MAX;
  const some = refused.slice(0, SHOWN_MAX).map((one) => one.IPAddress);
  return more > 0 ? `${some.join(', ')} and ${more} more` : some.join(', ');
}

type Leases =
  | { readonly kind: 'ok'; readonly leases: readonly LeaseToImport[] }
  | { readonly kind: 'bad'; readonly problems: readonly Problem[] };

function readLeases(given: readonly GivenLease[]): Leases {
  const leases: LeaseToImport[] = [];
  const problems: Problem[] = [];
  given.forEach((one, i) => {
    const read = readLease(one);
    if (typeof read !== 'string') leases.push(read);
    else if (problems.length < PROBLEMS_MAX) problems.push(invalid(`Leases.${i}`, read));
  });
  return problems.length > 0 ? { kind: 'bad', problems } : { kind: 'ok', leases };
}

/** The lease in the core's terms, or what is wrong with it. */
function readLease(given: GivenLease): LeaseToImport | string {
  const address = parseIp4(given.address);
  if (address === undefined) return 'it has no IPv4 address';
  const isDeclined = given.state === 'declined';
  const clientId = isDeclined ? undefined : filled(fromHex(given.clientIdHex ?? ''));
  const hardware = isDeclined ? undefined : filled(fromHex(given.hardwareHex));
  if (!isDeclined && clientId === undefined && hardware === undefined) return 'it names no client';
  const hostName = new TextEncoder().encode(given.hostName);
  if (hostName.length > NAME_BYTES_MAX) return 'its host name is too long';
  return {
    address,
    state: given.state,
    clientId,
    hardware: hardware === undefined ? undefined : hardwareKey(given.htype, hardware),
    hostName: filled(hostName),
    startAt: given.startAt as EpochSec,
    endAt: given.endAt as EpochSec,
  };
}

function filled(bytes: Uint8Array | undefined): Uint8Array | undefined {
  return bytes === undefined || bytes.length === 0 ? undefined : bytes;
}
