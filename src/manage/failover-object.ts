/**
 * A relationship as the class shows it (management specification 1.5): properties in its order, spans in seconds, the numbers as
 * seen from the answering server.
 */
import { z } from 'zod';
import type { Partner, Relationship } from '../core/config/model.ts';
import type { Control } from '../server/control.ts';
import type { ServerState } from '../wire/failover/messages.ts';
import { formatIp4, parseIp4 } from '../wire/units.ts';
import { partnerByKey } from './partner-client.ts';

export const failoverSchema = z.object({
  Name: z.string(),
  PartnerServer: z.string(),
  Mode: z.enum(['LoadBalance', 'HotStandby']),
  ServerRole: z.enum(['Active', 'Standby']).nullable(),
  LoadBalancePercent: z.int().nullable(),
  ReservePercent: z.int().nullable(),
  ScopeId: z.array(z.string()).nullable(),
  MaxClientLeadTime: z.int(),
  AutoStateTransition: z.boolean(),
  StateSwitchInterval: z.int().nullable(),
  State: z.string(),
  EnableAuth: z.boolean(),
  PrimaryServerIP: z.string().nullable(),
  SecondaryServerIP: z.string().nullable(),
  PrimaryServerName: z.string().nullable(),
  SecondaryServerName: z.string().nullable(),
  ServerType: z.enum(['PrimaryServer', 'SecondaryServer']),
});
export type FailoverObject = z.infer<typeof failoverSchema>;

/** Management specification 1.5; Windows has no name for the two of an orderly stop. */
export const STATE_NAMES: Readonly<Record<ServerState, string>> = {
  startup: 'Startup',
  normal: 'Normal',
  'communications-interrupted': 'CommunicationInterrupted',
  'partner-down': 'PartnerDown',
  'potential-conflict': 'PotentialConflict',
  'conflict-done': 'ConflictDone',
  'resolution-interrupted': 'ResolutionInterrupted',
  recover: 'Recover',
  'recover-wait': 'RecoverWait',
  'recover-done': 'RecoverDone',
  paused: 'NoState',
  shutdown: 'NoState',
};

export function stateName(control: Control, name: string): string {
  const state = control.endpointStatus(name)?.state;
  return state === undefined ? 'NoState' : STATE_NAMES[state];
}

/** The share of clients of the server that is asked: a relationship stores the primary's. */
export function shareOf(role: Relationship['role'], percentage: number): number {
  return role === 'primary' ? percentage : 100 - percentage;
}

export async function failoverObject(control: Control, relationship: Relationship): Promise<FailoverObject> {
  const isPrimary = relationship.role === 'primary';
  const isBalanced = relationship.mode === 'LoadBalance';
  const partner = partnerByKey(control, relationship.partnerKey);
  const own = { ip: await ownAddressToward(control, partner), name: control.serverName };
  const other = { ip: await addressOfHost(control, partner?.host), name: partner?.name ?? relationship.partnerServer };
  return {
    Name: relationship.name,
    PartnerServer: relationship.partnerServer,
    Mode: relationship.mode,
    ServerRole: isBalanced ? null : relationship.isActive ? 'Active' : 'Standby',
    LoadBalancePercent: isBalanced ? Math.round(shareOf(relationship.role, relationship.percentage)) : null,
    ReservePercent: isBalanced ? null : relationship.percentage,
    ScopeId: relationship.scopeIds.length === 0 ? null : [...relationship.scopeIds],
    MaxClientLeadTime: relationship.mcltSec,
    AutoStateTransition: relationship.stateSwitchIntervalSec !== null,
    StateSwitchInterval: relationship.stateSwitchIntervalSec,
    State: stateName(control, relationship.name),
    EnableAuth: relationship.sharedSecretRef !== null,
    PrimaryServerIP: (isPrimary ? own : other).ip,
    SecondaryServerIP: (isPrimary ? other : own).ip,
    PrimaryServerName: (isPrimary ? own : other).name,
    SecondaryServerName: (isPrimary ? other : own).name,
    ServerType: isPrimary ? 'PrimaryServer' : 'SecondaryServer',
  };
}

/** The address by which partners know this server comes first among its own. */
export function ownAddress(control: Control): string | null {
  return control.ownNames().find((name) => parseIp4(name) !== undefined) ?? null;
}

/** A server of another make knows this one by the address that it is called from. */
async function ownAddressToward(control: Control, partner: Partner | undefined): Promise<string | null> {
  if (partner?.foreign === undefined) return ownAddress(control);
  return partner.foreign.localAddress ?? (await control.placeFor(partner.host)).address ?? ownAddress(control);
}

async function addressOfHost(control: Control, host: string | undefined): Promise<string | null> {
  if (host === undefined) return null;
  if (parseIp4(host) !== undefined) return host;
  const first = (await control.resolve(host))[0];
  return first === undefined ? null : formatIp4(first);
}
