/**
 * How things stand: each relationship with everything an operator asks about when something is not as it should be, and the
 * server with its open problems.
 */
import { z } from 'zod';
import type { Relationship } from '../core/config/model.ts';
import type { EndpointStatus } from '../core/failover/endpoint-types.ts';
import { problemText } from '../core/problems/catalogue.ts';
import type { Problem } from '../core/problems/problem.ts';
import type { Control } from '../server/control.ts';
import { type EpochSec, formatIp4 } from '../wire/units.ts';
import { changesOf } from './changes.ts';
import { defineOperation } from './define.ts';
import { STATE_NAMES } from './failover-object.ts';
import { standingFacts } from './failover-standing.ts';
import { standingWords } from './failover-words.ts';
import { followerOf } from './follow.ts';
import { succeeded } from './operation.ts';
import * as params from './params.ts';
import { partnerByKey } from './partner-client.ts';
import { poolNumbers } from './pool-numbers.ts';
import { listed, problem } from './problems.ts';
import { relationshipOf } from './shared-config.ts';

const statusSchema = z.object({
  Name: z.string(),
  PartnerServer: z.string(),
  Mode: z.string(),
  ServerType: z.string(),
  State: z.string(),
  StateSince: z.int(),
  PartnerState: z.string(),
  PartnerStateSince: z.int(),
  IsConnected: z.boolean(),
  IsCommunicating: z.boolean(),
  ClockSkew: z.int().describe('Seconds.'),
  UpdatesWaiting: z.int().describe('Bindings that the partner has not acknowledged.'),
  PartnerDownSince: z.int().nullable(),
  RecoverWaitUntil: z.int().nullable(),
  AutoPartnerDownAt: z.int().nullable(),
  SilentScopes: z.array(z.string()).describe('Scopes that get their leases before they are served here.'),
  LastReject: z.string().nullable(),
  ScopesApart: z.array(z.string()).describe('Scopes whose configuration differs from the partner’s.'),
  OpenChanges: z.array(z.string()),
  FreeHere: z.int(),
  FreeAtPartner: z.int(),
  InUse: z.int(),
  Meaning: z.string().describe('In plain words: the state of this server.'),
  PartnerMeaning: z.string().describe('The state of the partner.'),
  Answers: z.string().describe('Which server answers which clients now.'),
  Waits: z.array(z.string()).describe('Addresses, scopes and clients that wait, until when, and why.'),
  Next: z.string().describe('What comes next if the partner stays away.'),
  ToDo: z.string(),
  PartnerKind: z.enum(['Twinlease', 'Isc', 'Msft', 'Draft']),
  PartnersAddressesUsableAt: z.int().nullable().describe('From when the free addresses of the partner are used here.'),
  HeldByPartner: z.int().describe('PartnerDown: addresses whose lease the partner may have extended.'),
  HeldByPartnerUntil: z.int().nullable().describe('When the last of these is over for certain.'),
  ClockAllowance: z.int().describe('Seconds that every wait has more because of the clocks.'),
  UpdatesUnanswered: z.int().describe('Messages with updates that the partner has not answered.'),
  Fetching: z.enum(['Everything', 'Changes', 'Scopes']).nullable().describe('What is being fetched from the partner.'),
  PartnerFetching: z.boolean().describe('Whether the partner is fetching leases from this server.'),
  NewClientsLastHour: z.int().describe('Clients that got their lease here within the last hour.'),
  LastRejectAt: z.int().nullable(),
});
type StatusObject = z.infer<typeof statusSchema>;

const KINDS = { twinlease: 'Twinlease', isc: 'Isc', msft: 'Msft', draft: 'Draft' } as const;
const FETCHING = { everything: 'Everything', changes: 'Changes', scopes: 'Scopes' } as const;

export const failoverStatus = defineOperation({
  name: 'failover.status',
  summary: 'Shows how the relationships stand and what they wait for.',
  examples: ['twinlease failover status', 'twinlease failover status --name rel1'],
  params: z.strictObject({ ...params.common, Name: params.texts.nullish() }),
  result: z.array(statusSchema),
  changes: false,
  run: async ({ control }, given) => {
    const { config } = control.revision();
    const names =
      given.Name == null || given.Name.length === 0
        ? config.relationships.map((one) => one.name)
        : [...new Set(given.Name)];
    const found: StatusObject[] = [];
    const errors: Problem[] = [];
    for (const name of names) {
      const relationship = relationshipOf(config, name);
      if (relationship === undefined) errors.push(problem(control, 'failover/unknown-relationship', { name }, name));
      else found.push(await statusOf(control, relationship));
    }
    return listed(found, errors);
  },
});

function statesOf(
  status: EndpointStatus | undefined,
): Pick<StatusObject, 'State' | 'PartnerState' | 'IsCommunicating'> {
  return {
    State: status === undefined ? 'NoState' : STATE_NAMES[status.state],
    PartnerState: status?.partnerState === undefined ? 'NoState' : STATE_NAMES[status.partnerState],
    IsCommunicating: status?.isCommunicating ?? false,
  };
}

async function statusOf(control: Control, relationship: Relationship): Promise<StatusObject> {
  const { name } = relationship;
  const status = control.endpointStatus(name);
  const numbers = relationship.scopeIds.map((scopeId) => poolNumbers(control, scopeId));
  const sum = (pick: (one: (typeof numbers)[number]) => number): number =>
    numbers.reduce((total, one) => total + pick(one), 0);
  const reject = status?.lastReject;
  const facts = await standingFacts(control, relationship, status, {
    freeHere: sum((one) => one.freeHere),
    freeAtPartner: sum((one) => one.freeAtPartner),
  });
  const words = standingWords(facts);
  return {
    Name: name,
    PartnerServer: relationship.partnerServer,
    Mode: relationship.mode,
    ServerType: relationship.role === 'primary' ? 'PrimaryServer' : 'SecondaryServer',
    ...statesOf(status),
    StateSince: status?.stateSinceAt ?? 0,
    PartnerStateSince: status?.partnerStateAt ?? 0,
    IsConnected: status?.isConnected ?? false,
    ClockSkew: Math.round(status?.skewSec ?? 0),
    UpdatesWaiting: status?.dirtyBindings ?? 0,
    PartnerDownSince: orNull(status?.partnerDownAt),
    RecoverWaitUntil: orNull(status?.recoverWaitUntilAt),
    AutoPartnerDownAt: orNull(status?.autoPartnerDownAt),
    SilentScopes: (status?.silentScopeIds ?? []).map((scopeId) => formatIp4(scopeId)),
    LastReject: reject === undefined ? null : `${formatIp4(reject.address)}: ${reject.reason}`,
    ScopesApart: followerOf(control)
      .differences(name)
      .map((one) => one.scopeId),
    OpenChanges: changesOf(control)
      .open()
      .filter((open) => open.relationship === name)
      .map((open) => `${open.id} ${open.standing}`),
    FreeHere: facts.freeHere,
    FreeAtPartner: facts.freeAtPartner,
    InUse: sum((one) => one.inUse),
    Meaning: words.meaning,
    PartnerMeaning: words.partnerMeaning,
    Answers: words.answers,
    Waits: [...words.waits],
    Next: words.next,
    ToDo: words.toDo,
    PartnerKind: KINDS[relationship.profile],
    PartnersAddressesUsableAt: orNull(facts.partnersUsableAt),
    HeldByPartner: facts.heldByPartner.count,
    HeldByPartnerUntil: orNull(facts.heldByPartner.untilAt),
    ClockAllowance: facts.allowanceSec,
    UpdatesUnanswered: status?.unackedUpdates ?? 0,
    Fetching: facts.fetching === undefined ? null : FETCHING[facts.fetching],
    PartnerFetching: status?.isAnswering ?? false,
    NewClientsLastHour: facts.newClients,
    LastRejectAt: orNull(reject?.at),
  };
}

function orNull(at: number | undefined): number | null {
  return at === undefined || at === 0 ? null : at;
}

export const serverStatus = defineOperation({
  name: 'server.status',
  summary: 'Shows the server, its relationships in short, and what is not as it should be.',
  examples: ['twinlease server status'],
  params: z.strictObject(params.common),
  result: z.object({
    Name: z.string(),
    Version: z.string(),
    Key: z.string(),
    Revision: z.int(),
    StartedAt: z.int(),
    Now: z.int(),
    Relationships: z.array(
      z.object({ Name: z.string(), State: z.string(), PartnerState: z.string(), IsCommunicating: z.boolean() }),
    ),
    Problems: z.array(
      z.object({
        At: z.int().describe('When it was last so.'),
        Code: z.string(),
        Text: z.string(),
        FirstAt: z.int(),
        Count: z.int().describe('How often it was so since FirstAt.'),
      }),
    ),
  }),
  changes: false,
  run: async ({ control }) => {
    const revision = control.revision();
    return succeeded({
      Name: control.serverName,
      Version: control.version,
      Key: control.key,
      Revision: revision.number,
      StartedAt: control.counters().startedAt,
      Now: control.now().wallAt,
      Relationships: revision.config.relationships.map(({ name }) => ({
        Name: name,
        ...statesOf(control.endpointStatus(name)),
      })),
      Problems: [...control.problems(), ...standing(control)].map((one) => ({
        At: one.at,
        Code: one.code,
        Text: problemText(one),
        FirstAt: one.firstAt,
        Count: one.count,
      })),
    });
  },
});

/** Conditions that last, and are not in the log at this moment. */
function standing(control: Control): ReturnType<Control['problems']> {
  const at = control.now().wallAt;
  const partnerName = (key: string): string => partnerByKey(control, key)?.name ?? key;
  const open = changesOf(control)
    .open()
    .filter((change) => change.standing !== 'under-way')
    .map((change) => {
      const code = change.standing === 'in-doubt' ? 'change/in-doubt' : 'change/not-confirmed';
      const slots = { id: change.id, name: change.relationship, partner: partnerName(change.partnerKey) };
      return once(problem(control, code, slots, change.relationship), change.startedAt as EpochSec);
    });
  const apart = new Map<string, number>();
  for (const one of followerOf(control).differences())
    apart.set(one.relationship, (apart.get(one.relationship) ?? 0) + 1);
  return [
    ...open,
    ...[...apart].map(([name, differences]) => once(problem(control, 'config/apart', { name, differences }, name), at)),
  ];
}

function once(what: Problem, at: EpochSec): ReturnType<Control['problems']>[number] {
  return { ...what, at, firstAt: at, count: 1 };
}
