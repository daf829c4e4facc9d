/**
 * Making a relationship: AddByLoadBalance and AddByHotStandby of PS_DhcpServerv4Failover (management specification 1.2, 1.7). The
 * checks come in the order of its 1.8: what this server can tell first, then the partner, then the partner's own checks.
 */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Partner, ProtocolRole, Scope } from '../core/config/model.ts';
import type { Problem } from '../core/problems/problem.ts';
import type { Control } from '../server/control.ts';
import { formatIp4, parseIp4 } from '../wire/units.ts';
import { ADD_SCOPES_MAX, address32, type ChangeBody, NAME_UNITS_MAX, RELATIONSHIPS_MAX } from './change-body.ts';
import { defineOperation, isOwnName } from './define.ts';
import { failoverObject, failoverSchema, shareOf } from './failover-object.ts';
import { changeForeign } from './foreign-change.ts';
import {
  type DeclaredPartner,
  declarationObstacle,
  declaredPartner,
  isDeclared,
  KIND_NAMES,
  kindOf,
  readDeclaration,
} from './foreign-partner.ts';
import { failed, type OperationContext, type Outcome, succeeded, type WhatIfReport } from './operation.ts';
import * as params from './params.ts';
import { findPartner, isPartnerName, partnerTrouble } from './partner-client.ts';
import { invalid, problem } from './problems.ts';
import { featuresUsed, readScopeIds, splitKnown } from './scope-list.ts';
import { relationshipOf, relationshipOfScope, sharedScope } from './shared-config.ts';
import { runTogether, whatIfTogether } from './together.ts';
import { scopeWaits } from './tombstones.ts';

/** Management specification 1.2. */
export const MCLT_DEFAULT_SEC = 3600;
export const LOAD_BALANCE_DEFAULT_PERCENT = 50;
export const RESERVE_DEFAULT_PERCENT = 5;
/** Management specification 1.7: the switchover interval where none was ever given. */
export const SWITCH_INTERVAL_DEFAULT_SEC = 3600;

/** RFC 3074. */
const BUCKET_COUNT = 256;

const shared = {
  ...params.common,
  Name: params.text.describe('Name of the relationship, the same on both servers.'),
  PartnerServer: params.text.describe('Name or address of the other server, which was introduced to this one.'),
  ScopeId: params.scopeIds,
  MaxClientLeadTime: params.seconds
    .nullish()
    .describe('Longest that a lease may outrun what the partner knows; 3600 s.'),
  AutoStateTransition: params.flag.describe('Takes the partner for down by itself after StateSwitchInterval.'),
  StateSwitchInterval: params.seconds.nullish(),
  Force: params.force,
  SharedSecret: params.optionalText.describe('Authenticates the messages between the two servers.'),
  PassThru: params.passThru,
  ProtocolRole: params.optionalText.describe(
    'Protocol role of this server: Primary or Secondary; Primary if it is active.',
  ),
  PartnerKind: params.optionalText.describe(
    'Make of a partner that is no Twinlease server: isc, windows or draft. One that is not known yet is declared with it.',
  ),
  PartnerPort: z.int().nullish().describe('With PartnerKind: failover port of the partner; 647.'),
  LocalAddress: params.optionalText.describe('With PartnerKind: address that this server calls the partner from.'),
  HoldsLeases: params.flag.describe(
    'With a partner of another make: what this server has of the scopes is complete. Otherwise it fetches all from the partner first.',
  ),
};

const loadBalanceParams = z.strictObject({
  ...shared,
  LoadBalancePercent: z.int().nullish().describe('Share of clients that this server answers, 0 to 100; 50.'),
  Split: z
    .int()
    .nullish()
    .describe(
      'With a partner of another make, in place of LoadBalancePercent: buckets of the primary, 0 to 256, as in dhcpd.conf.',
    ),
});
const hotStandbyParams = z.strictObject({
  ...shared,
  ReservePercent: z.int().nullish().describe('Share of free addresses that the standby keeps, 0 to 100; 5.'),
  ServerRole: params.optionalText.describe('Role of this server: Active or Standby; Active.'),
});

type SharedParams = z.infer<z.ZodObject<typeof shared>>;

/** What the two methods differ in, made the same. */
interface Wanted extends SharedParams {
  readonly mode: 'LoadBalance' | 'HotStandby';
  /** Buckets of the primary, where they were given in place of a percentage. */
  readonly split: number | null | undefined;
  readonly percent: number;
  readonly percentParameter: string;
  readonly role: string;
}

const result = failoverSchema.nullable();

export const addByLoadBalance = defineOperation({
  name: 'failover.add-by-load-balance',
  windows: 'PS_DhcpServerv4Failover.AddByLoadBalance',
  summary: 'Shares scopes with another server; both answer, each its part of the clients.',
  examples: ['twinlease failover add --name rel1 --partner-server dhcp2 --scope-id 10.0.1.0 --load-balance-percent 50'],
  params: loadBalanceParams,
  result,
  changes: true,
  confirm: confirmSecret,
  run: (context, given) =>
    add(context, {
      ...given,
      mode: 'LoadBalance',
      split: given.Split,
      percent: given.LoadBalancePercent ?? LOAD_BALANCE_DEFAULT_PERCENT,
      percentParameter: 'LoadBalancePercent',
      role: 'Active',
    }),
});

export const addByHotStandby = defineOperation({
  name: 'failover.add-by-hot-standby',
  windows: 'PS_DhcpServerv4Failover.AddByHotStandby',
  summary: 'Shares scopes with another server; one answers, the other stands by.',
  examples: ['twinlease failover add --name rel1 --partner-server dhcp2 --scope-id 10.0.1.0 --server-role Active'],
  params: hotStandbyParams,
  result,
  changes: true,
  confirm: confirmSecret,
  run: (context, given) =>
    add(context, {
      ...given,
      mode: 'HotStandby',
      split: null,
      percent: given.ReservePercent ?? RESERVE_DEFAULT_PERCENT,
      percentParameter: 'ReservePercent',
      role: given.ServerRole ?? 'Active',
    }),
});

/** Management specification 1.9; the text says what our channel makes of it. */
function confirmSecret(given: { readonly SharedSecret?: string | null | undefined }): string | undefined {
  if (given.SharedSecret == null) return undefined;
  return 'The shared secret travels to this server as the connection of this request protects it. Go on?';
}

async function add(context: OperationContext, wanted: Wanted): Promise<Outcome<z.infer<typeof result> | WhatIfReport>> {
  const { control } = context;
  const local = checkLocally(context, wanted);
  if (local.kind === 'bad') return failed(local.problem);
  const foreign = await foreignOf(control, wanted);
  if (foreign?.kind === 'bad') return failed(foreign.problem);
  if (foreign !== undefined) return await addForeign(context, wanted, foreign, local.scopes);
  const found = await findPartner(control, wanted.PartnerServer);
  if (found.kind === 'failed') return failed(found.problem);
  if (isDeclared(found.partner)) {
    const known = { kind: 'ok', partner: found.partner, isNewPartner: false } as const;
    return await addForeign(context, wanted, known, local.scopes);
  }
  if (wanted.split != null) return failed(invalid('Split', 'it goes with a partner of another make'));
  const trouble = await partnerTrouble(control, found.partner, featuresUsed(local.scopes));
  if (trouble !== undefined) return failed(trouble.problem);
  const body = bodyOf(context, wanted, found.partner, local.scopes);
  const secret = wanted.SharedSecret ?? undefined;
  const together = { partner: found.partner, body, secret };
  if (context.whatIf) return await whatIfTogether(context, together);
  const made = await runTogether(context, together);
  if (made.kind === 'failed') return made;
  return succeeded(await passedThru(context, wanted), made.warnings);
}

async function passedThru({ control }: OperationContext, wanted: Wanted): Promise<z.infer<typeof result>> {
  const relationship = relationshipOf(control.revision().config, wanted.Name);
  return wanted.PassThru === true && relationship !== undefined ? await failoverObject(control, relationship) : null;
}

type Foreign =
  | { readonly kind: 'ok'; readonly partner: DeclaredPartner; readonly isNewPartner: boolean }
  | { readonly kind: 'bad'; readonly problem: Problem };

/** The partner of another make that PartnerKind asks for, declared before or on the fly; undefined when nothing is asked. */
async function foreignOf(control: Control, wanted: Wanted): Promise<Foreign | undefined> {
  if (wanted.PartnerKind == null) return undefined;
  const { config } = control.revision();
  const known = declaredPartner(config, wanted.PartnerServer);
  const kind = kindOf(wanted.PartnerKind);
  if (kind === undefined)
    return { kind: 'bad', problem: invalid('PartnerKind', 'it is none of isc, windows and draft') };
  if (known !== undefined) {
    if (known.foreign.kind === kind) return { kind: 'ok', partner: known, isNewPartner: false };
    const slots = { partner: known.name, kind: KIND_NAMES[known.foreign.kind], wanted: KIND_NAMES[kind] };
    return { kind: 'bad', problem: problem(control, 'failover/foreign-kind-differs', slots, 'PartnerKind') };
  }
  const address = (await control.resolve(wanted.PartnerServer.trim()))[0];
  if (address === undefined) {
    const slots = { partner: wanted.PartnerServer };
    return { kind: 'bad', problem: problem(control, 'partner/name-unresolved', slots, 'PartnerServer') };
  }
  const declared = readDeclaration(control, {
    kind: wanted.PartnerKind,
    name: wanted.PartnerServer,
    host: formatIp4(address),
    port: wanted.PartnerPort,
    localAddress: wanted.LocalAddress,
  });
  if (declared.kind === 'bad') return declared;
  const obstacle = declarationObstacle(control, config, declared.partner);
  if (obstacle !== undefined) return { kind: 'bad', problem: obstacle };
  return { kind: 'ok', partner: declared.partner, isNewPartner: true };
}

/** Only this half is made (design, part 5 "Foreign partners"). */
async function addForeign(
  context: OperationContext,
  wanted: Wanted,
  { partner, isNewPartner }: Extract<Foreign, { kind: 'ok' }>,
  scopes: readonly Scope[],
): Promise<Outcome<z.infer<typeof result> | WhatIfReport>> {
  const { control } = context;
  if (partner.foreign.kind === 'isc' && wanted.SharedSecret != null)
    return failed(problem(control, 'failover/foreign-secret', { partner: partner.name }, 'SharedSecret'));
  const other = control.revision().config.relationships.find((one) => one.partnerKey === partner.key);
  if (other !== undefined) {
    const slots = { partner: partner.name, name: other.name };
    return failed(problem(control, 'failover/foreign-partner-taken', slots, wanted.Name));
  }
  const holdsLeases = wanted.HoldsLeases ?? scopes.some((scope) => hasLeases(control, scope.scopeId));
  const made = await changeForeign(context, {
    partner,
    isNewPartner,
    body: bodyOf(context, wanted, partner, scopes),
    secret: wanted.SharedSecret ?? undefined,
    holdsLeases,
  });
  if (made.kind === 'failed') return made;
  if (made.kind === 'what-if') return succeeded({ whatIf: made.lines });
  const fetches = problem(
    control,
    'failover/foreign-fetches',
    { name: wanted.Name, partner: partner.name },
    wanted.Name,
  );
  return succeeded(await passedThru(context, wanted), holdsLeases ? made.warnings : [...made.warnings, fetches]);
}

/** Whether an address of the scope is anything but free to be given out. */
function hasLeases(control: Control, scopeId: string): boolean {
  const { active, activeOutside, transitory, abandoned } = control.bindings.counts(address32(scopeId));
  return active + activeOutside + transitory + abandoned > 0;
}

type LocalCheck =
  | { readonly kind: 'ok'; readonly scopes: readonly Scope[] }
  | { readonly kind: 'bad'; readonly problem: Problem };

function checkLocally(context: OperationContext, wanted: Wanted): LocalCheck {
  const { control } = context;
  const { config } = control.revision();
  const wrong = wrongParameter(context, wanted);
  if (wrong !== undefined) return bad(wrong);
  const ids = readScopeIds(wanted.ScopeId);
  if (ids.kind === 'bad') return ids;
  const { known, errors } = splitKnown(control, config, ids.scopeIds);
  const missing = errors[0];
  if (missing !== undefined) return bad(missing);
  const bootp = known.find((scope) => scope.type === 'Bootp');
  if (bootp !== undefined)
    return bad(problem(control, 'failover/bootp-scope', { scopeId: bootp.scopeId }, bootp.scopeId));
  if (wanted.Name.length > NAME_UNITS_MAX) {
    return bad(problem(control, 'failover/name-too-long', { length: wanted.Name.length, max: NAME_UNITS_MAX }, 'Name'));
  }
  // What counts is what the call names; unknown scopes were refused before.
  if (wanted.ScopeId.length > ADD_SCOPES_MAX) {
    return bad(
      problem(control, 'failover/too-many-scopes', { count: wanted.ScopeId.length, max: ADD_SCOPES_MAX }, 'ScopeId'),
    );
  }
  if (config.relationships.length >= RELATIONSHIPS_MAX) {
    return bad(problem(control, 'failover/too-many-relationships', { max: RELATIONSHIPS_MAX }));
  }
  for (const { scopeId } of known) {
    const other = relationshipOfScope(config, scopeId);
    if (other !== undefined)
      return bad(problem(control, 'failover/scope-in-relationship', { scopeId, name: other.name }, scopeId));
    const waiting = scopeWaits(control, scopeId);
    if (waiting !== undefined) return bad(waiting);
  }
  if (relationshipOf(config, wanted.Name) !== undefined) {
    return bad(problem(control, 'failover/name-taken', { name: wanted.Name }, wanted.Name));
  }
  return { kind: 'ok', scopes: known };
}

/** Everything that is WIN32 87. */
function wrongParameter(context: OperationContext, wanted: Wanted): Problem | undefined {
  if (wanted.Name.trim() === '') return invalid('Name', 'it is empty');
  const partner = wanted.PartnerServer.trim();
  if (partner === '' || parseIp4(partner) === 0) return invalid('PartnerServer', 'no server is given');
  // A partner on the same host is a partner when it is called by a name that it was introduced with.
  if (isOwnName(context.control, partner) && !isPartnerName(context.control, partner))
    return invalid('PartnerServer', 'it is this server');
  if (wanted.percent < 0 || wanted.percent > 100)
    return invalid(wanted.percentParameter, 'it is not between 0 and 100');
  if (wanted.split != null && (wanted.split < 0 || wanted.split > BUCKET_COUNT))
    return invalid('Split', `it is not between 0 and ${BUCKET_COUNT}`);
  if (!['active', 'standby'].includes(wanted.role.toLowerCase()))
    return invalid('ServerRole', 'it is neither Active nor Standby');
  if (wanted.ProtocolRole != null && protocolRoleOf(wanted.ProtocolRole) === undefined)
    return invalid('ProtocolRole', 'it is neither Primary nor Secondary');
  if (wanted.PartnerKind == null) {
    if (wanted.PartnerPort != null) return invalid('PartnerPort', 'it goes with PartnerKind');
    if (wanted.LocalAddress != null) return invalid('LocalAddress', 'it goes with PartnerKind');
  }
  if (wanted.MaxClientLeadTime === 0) return invalid('MaxClientLeadTime', 'it must be more than nothing');
  if (wanted.StateSwitchInterval === 0) return invalid('StateSwitchInterval', 'it must be more than nothing');
  if (wanted.SharedSecret === '') return invalid('SharedSecret', 'it is empty');
  return undefined;
}

function bad(found: Problem): LocalCheck {
  return { kind: 'bad', problem: found };
}

function protocolRoleOf(text: string): ProtocolRole | undefined {
  return (['primary', 'secondary'] as const).find((role) => role === text.trim().toLowerCase());
}

function percentageOf(role: ProtocolRole, { mode, percent, split }: Wanted): number {
  if (split != null) return (split * 100) / BUCKET_COUNT;
  return mode === 'LoadBalance' ? shareOf(role, percent) : percent;
}

function bodyOf(context: OperationContext, wanted: Wanted, partner: Partner, scopes: readonly Scope[]): ChangeBody {
  const { control } = context;
  const { config } = control.revision();
  const isActive = wanted.role.toLowerCase() === 'active';
  // Management specification 1.7: the called server is primary, except as the standby of a hot-standby relationship.
  const role = protocolRoleOf(wanted.ProtocolRole ?? '') ?? (isActive ? 'primary' : 'secondary');
  const automatic = wanted.AutoStateTransition === true ? SWITCH_INTERVAL_DEFAULT_SEC : null;
  return {
    kind: 'add-relationship',
    name: wanted.Name,
    id: randomUUID(),
    settings: {
      mode: wanted.mode,
      percentage: percentageOf(role, wanted),
      mcltSec: wanted.MaxClientLeadTime ?? MCLT_DEFAULT_SEC,
      stateSwitchIntervalSec: wanted.StateSwitchInterval ?? automatic,
    },
    role,
    isActive: wanted.mode === 'HotStandby' && isActive,
    hasSecret: wanted.SharedSecret != null,
    coordinatorName: control.serverName,
    participantName: partner.name,
    scopes: scopes.map((scope) => {
      const { definitions } = sharedScope(config, scope.scopeId) ?? { definitions: [] };
      return { scope, definitions: [...definitions] };
    }),
  };
}
