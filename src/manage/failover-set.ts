/**
 * Changing a relationship: Set of PS_DhcpServerv4Failover (management specification 1.2, 1.7). Parameters change on both servers
 * or on neither; partner-down is this server's alone. What is sent with its present value is not a change and needs no partner.
 */
import { z } from 'zod';
import type { Relationship } from '../core/config/model.ts';
import type { Problem } from '../core/problems/problem.ts';
import type { Control } from '../server/control.ts';
import { type ChangeBody, settingsOf } from './change-body.ts';
import { defineOperation } from './define.ts';
import { LOAD_BALANCE_DEFAULT_PERCENT, RESERVE_DEFAULT_PERCENT, SWITCH_INTERVAL_DEFAULT_SEC } from './failover-add.ts';
import { failoverObject, failoverSchema, shareOf, stateName } from './failover-object.ts';
import { changeForeign } from './foreign-change.ts';
import { type DeclaredPartner, isDeclared } from './foreign-partner.ts';
import { failed, type OperationContext, type Outcome, succeeded, type WhatIfReport } from './operation.ts';
import * as params from './params.ts';
import { partnerByKey, partnerTrouble } from './partner-client.ts';
import { invalid, problem } from './problems.ts';
import { relationshipOf, stableText } from './shared-config.ts';
import { runTogether, whatIfTogether } from './together.ts';

const setParams = z.strictObject({
  ...params.common,
  Name: params.text,
  AutoStateTransition: params.flag,
  MaxClientLeadTime: params.seconds.nullish(),
  SharedSecret: z.string().nullish().describe('Left out: unchanged. Null or empty: no authentication any more.'),
  StateSwitchInterval: params.seconds.nullish(),
  PartnerDown: params.flag.describe('Declares the partner down: this server takes over once its leases have ended.'),
  Force: params.force,
  LoadBalancePercent: z.int().nullish().describe('Share of clients that this server answers.'),
  ReservePercent: z.int().nullish().describe('Share of free addresses that the standby keeps.'),
  PassThru: params.passThru,
  Mode: params.optionalText.describe('LoadBalance or HotStandby.'),
});
type SetParams = z.infer<typeof setParams>;

export const setFailover = defineOperation({
  name: 'failover.set',
  windows: 'PS_DhcpServerv4Failover.Set',
  summary: 'Changes a relationship on both servers, or declares the partner down.',
  examples: [
    'twinlease failover set --name rel1 --load-balance-percent 70',
    'twinlease failover set --name rel1 --partner-down',
  ],
  params: setParams,
  result: failoverSchema.nullable(),
  changes: true,
  confirm: (given) => {
    if (given.Mode != null) return 'The mode of the relationship changes on both servers. Go on?';
    if (given.SharedSecret != null)
      return 'The shared secret travels to this server as the connection of this request protects it. Go on?';
    return undefined;
  },
  run: set,
});

async function set(
  context: OperationContext,
  given: SetParams,
): Promise<Outcome<z.infer<typeof failoverSchema> | null | WhatIfReport>> {
  const { control } = context;
  const wrong = wrongParameter(given);
  if (wrong !== undefined) return failed(wrong);
  const relationship = relationshipOf(control.revision().config, given.Name);
  if (relationship === undefined)
    return failed(problem(control, 'failover/unknown-relationship', { name: given.Name }, given.Name));
  const wanted = wantedSettings(relationship, given);
  if (wanted.kind === 'bad') return failed(wanted.problem);
  const body = changeOf(control, relationship, wanted.settings, given);
  const partner = partnerByKey(control, relationship.partnerKey);
  const foreign = isDeclared(partner) ? foreignRefusal(control, relationship, partner, given) : undefined;
  if (foreign !== undefined) return failed(foreign);
  const down = given.PartnerDown === true ? partnerDownNow(control, relationship) : 'not-asked';
  if (down === 'refused') {
    const slots = { name: given.Name, state: stateName(control, given.Name) };
    return failed(problem(control, 'failover/not-normal', slots, given.Name));
  }
  const warnings: Problem[] = [];
  const lines: string[] = [];
  if (body !== undefined) {
    const changed = await changeBoth(context, relationship, body, given.SharedSecret ?? undefined);
    if (changed.kind === 'failed') return changed;
    warnings.push(...changed.warnings);
    if ('whatIf' in changed.value) lines.push(...changed.value.whatIf);
  }
  if (context.whatIf) {
    if (down === 'possible') lines.push(`${control.serverName}: Relationship ${given.Name} goes to PartnerDown.`);
    return succeeded({ whatIf: lines.length === 0 ? ['Nothing would change.'] : lines });
  }
  if (down === 'possible') {
    const done = await control.command(given.Name, { kind: 'partner-down' });
    if (done.kind === 'refused' || done.kind === 'unknown') {
      const slots = { name: given.Name, state: stateName(control, given.Name) };
      return failed(problem(control, 'failover/not-normal', slots, given.Name));
    }
  }
  const now = relationshipOf(control.revision().config, given.Name);
  return succeeded(given.PassThru === true && now !== undefined ? await failoverObject(control, now) : null, warnings);
}

function wrongParameter(given: SetParams): Problem | undefined {
  if (given.Name.trim() === '') return invalid('Name', 'it is empty');
  for (const parameter of ['LoadBalancePercent', 'ReservePercent'] as const) {
    const percent = given[parameter];
    if (percent != null && (percent < 0 || percent > 100)) return invalid(parameter, 'it is not between 0 and 100');
  }
  if (given.MaxClientLeadTime === 0) return invalid('MaxClientLeadTime', 'it must be more than nothing');
  if (given.StateSwitchInterval === 0) return invalid('StateSwitchInterval', 'it must be more than nothing');
  if (given.Mode != null && modeOf(given.Mode) === undefined)
    return invalid('Mode', 'it is neither LoadBalance nor HotStandby');
  return undefined;
}

function modeOf(text: string): Relationship['mode'] | undefined {
  return (['LoadBalance', 'HotStandby'] as const).find((mode) => mode.toLowerCase() === text.toLowerCase());
}

type Settings = ReturnType<typeof settingsOf>;

function wantedSettings(
  relationship: Relationship,
  given: SetParams,
): { readonly kind: 'ok'; readonly settings: Settings } | { readonly kind: 'bad'; readonly problem: Problem } {
  const mode = (given.Mode == null ? undefined : modeOf(given.Mode)) ?? relationship.mode;
  if (mode === 'HotStandby' && given.LoadBalancePercent != null) {
    return { kind: 'bad', problem: invalid('LoadBalancePercent', 'the mode of the relationship is HotStandby') };
  }
  if (mode === 'LoadBalance' && given.ReservePercent != null) {
    return { kind: 'bad', problem: invalid('ReservePercent', 'the mode of the relationship is LoadBalance') };
  }
  const isSwitch = mode !== relationship.mode;
  const present = relationship.percentage;
  const percentage =
    mode === 'HotStandby'
      ? (given.ReservePercent ?? (isSwitch ? RESERVE_DEFAULT_PERCENT : present))
      : given.LoadBalancePercent != null || isSwitch
        ? shareOf(relationship.role, given.LoadBalancePercent ?? LOAD_BALANCE_DEFAULT_PERCENT)
        : present;
  return {
    kind: 'ok',
    settings: {
      mode,
      percentage,
      mcltSec: given.MaxClientLeadTime ?? relationship.mcltSec,
      stateSwitchIntervalSec: wantedInterval(relationship.stateSwitchIntervalSec, given),
    },
  };
}

/** Management specification 1.7: a given interval wins over the flag; the flag alone takes what is stored, or the default. */
function wantedInterval(present: number | null, given: SetParams): number | null {
  if (given.StateSwitchInterval != null) return given.StateSwitchInterval;
  if (given.AutoStateTransition === true) return present ?? SWITCH_INTERVAL_DEFAULT_SEC;
  if (given.AutoStateTransition === false) return null;
  return present;
}

/** Undefined when everything that was given is so already. */
function changeOf(
  control: Control,
  relationship: Relationship,
  settings: Settings,
  given: SetParams,
): ChangeBody | undefined {
  const secret = wantedSecret(control, relationship, given.SharedSecret);
  if (secret === 'keep' && stableText(settings) === stableText(settingsOf(relationship))) return undefined;
  const isPrimary = relationship.role === 'primary';
  const wasStandby = relationship.mode === 'HotStandby';
  return {
    kind: 'set',
    name: relationship.name,
    id: relationship.id,
    settings,
    // Management specification 1.7: on a switch to HotStandby the primary becomes the active one.
    primaryIsActive: wasStandby ? relationship.isActive === isPrimary : true,
    secret,
  };
}

function wantedSecret(
  control: Control,
  relationship: Relationship,
  secret: string | null | undefined,
): 'keep' | 'clear' | 'set' {
  if (secret === undefined) return 'keep';
  const ref = relationship.sharedSecretRef;
  if (secret === null || secret === '') return ref === null ? 'keep' : 'clear';
  return ref !== null && control.secretOf(ref) === secret ? 'keep' : 'set';
}

/** Management specification 1.7: from CommunicationInterrupted and ResolutionInterrupted; PartnerDown already is no change. */
function partnerDownNow(control: Control, relationship: Relationship): 'possible' | 'nothing-to-do' | 'refused' {
  switch (control.endpointStatus(relationship.name)?.state) {
    case 'communications-interrupted':
    case 'resolution-interrupted':
      return 'possible';
    case 'partner-down':
      return 'nothing-to-do';
    default:
      return 'refused';
  }
}

/** What makes no sense toward a partner of another make. */
function foreignRefusal(
  control: Control,
  relationship: Relationship,
  partner: DeclaredPartner,
  given: SetParams,
): Problem | undefined {
  const { name, role } = relationship;
  if (partner.foreign.kind === 'isc' && given.SharedSecret != null && given.SharedSecret !== '')
    return problem(control, 'failover/foreign-secret', { partner: partner.name }, 'SharedSecret');
  // Windows takes no parameter from CONNECT, nor is any taken from its own (failover specification 3.1).
  if (role === 'primary' || partner.foreign.kind === 'msft') return undefined;
  const decided = (['MaxClientLeadTime', 'LoadBalancePercent'] as const).find((parameter) => given[parameter] != null);
  if (decided === undefined) return undefined;
  const slots = { name, partner: partner.name, parameter: decided };
  return problem(control, 'failover/foreign-primary-decides', slots, decided);
}

async function changeBoth(
  context: OperationContext,
  relationship: Relationship,
  body: ChangeBody,
  secret: string | undefined,
): Promise<Outcome<Record<string, never> | WhatIfReport>> {
  const { control } = context;
  const partner = partnerByKey(control, relationship.partnerKey);
  if (partner === undefined) {
    return failed(problem(control, 'pair/unknown-partner', { partner: relationship.partnerServer }, relationship.name));
  }
  if (isDeclared(partner)) {
    const made = await changeForeign(context, { partner, body, secret: secret === '' ? undefined : secret });
    if (made.kind === 'failed') return made;
    return made.kind === 'what-if' ? succeeded({ whatIf: made.lines }) : succeeded({}, made.warnings);
  }
  const trouble = await partnerTrouble(control, partner, []);
  if (trouble !== undefined) return failed(trouble.problem);
  const together = { partner, body, secret: secret === '' ? undefined : secret };
  if (context.whatIf) return await whatIfTogether(context, together);
  const made = await runTogether(context, together);
  return made.kind === 'failed' ? made : succeeded({}, made.warnings);
}
