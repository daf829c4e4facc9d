/**
 * Leases: PS_DhcpServerv4Lease (management specification 2.1, 2.2). What is removed is available again where this server alone
 * decides; in a relationship it goes the way of a released lease, so that the partner agrees first.
 */
import { z } from 'zod';
import type { Binding } from '../core/bindings/binding.ts';
import type { Config, Scope } from '../core/config/model.ts';
import { addressOf } from '../core/config/pool-shape.ts';
import type { Problem } from '../core/problems/problem.ts';
import type { Control } from '../server/control.ts';
import { IP_FLAG_BOOTP } from '../wire/failover/messages.ts';
import { formatIp4, INFINITE_AT, type Ip4, NEVER_AT, parseIp4 } from '../wire/units.ts';
import { bindingClientText, isClientOf } from './client-text.ts';
import { defineOperation } from './define.ts';
import { ownAddress } from './failover-object.ts';
import { failed, type OperationContext, type Outcome, succeeded, type WhatIfReport } from './operation.ts';
import * as params from './params.ts';
import { partnerByKey } from './partner-client.ts';
import { bindingsOf } from './pool-numbers.ts';
import { invalid, listed, problem } from './problems.ts';
import { scopeNamed } from './reservation.ts';
import { relationshipOfScope } from './shared-config.ts';

/** Leases that one call removes; more are removed by calling again. */
const REMOVE_MAX = 65_536;

const leaseSchema = z.object({
  AddressState: z.string(),
  IPAddress: z.string(),
  ScopeId: z.string(),
  Description: z.string(),
  ClientId: z.string(),
  HostName: z.string(),
  ClientType: z.string(),
  LeaseExpiryTime: z.int().nullable().describe('Seconds since 1970; null has no end.'),
  NapCapable: z.boolean(),
  NapStatus: z.string(),
  ProbationEnds: z.int().nullable(),
  PolicyName: z.string().nullable(),
  DnsRR: z.string(),
  DnsRegistration: z.string(),
  ServerIP: z.string().nullable(),
});
type LeaseObject = z.infer<typeof leaseSchema>;
const leases = z.array(leaseSchema);

const byScope = { ...params.common, ScopeId: params.scopeId };
const byClient = { ...params.common, ClientId: params.texts, ScopeId: params.scopeId };
const byAddress = { ...params.common, IPAddress: params.texts };
const byBad = { ...params.common, BadLeases: params.flag, ScopeId: params.optionalText };

export const getLeaseByScope = defineOperation({
  name: 'lease.get-by-scope-id',
  windows: 'PS_DhcpServerv4Lease.GetByScopeId',
  summary: 'Shows the leases of a scope.',
  examples: ['twinlease lease get --scope-id 10.0.1.0', 'twinlease lease get --scope-id 10.0.1.0 --all-leases'],
  params: z.strictObject({
    ...byScope,
    AllLeases: params.flag.describe('Also ended leases and reservations without a client.'),
  }),
  result: leases,
  changes: false,
  run: async ({ control }, given) => {
    const found = scopeNamed(control, given.ScopeId);
    if (found.kind === 'bad') return failed(found.problem);
    const all = leasesOf(control, found.scope, given.AllLeases === true);
    return succeeded(all.map((binding) => leaseObject(control, found.scope, binding)));
  },
});

export const getLeaseByClient = defineOperation({
  name: 'lease.get-by-client-id',
  windows: 'PS_DhcpServerv4Lease.GetByClientId',
  summary: 'Shows the leases of these clients in a scope.',
  examples: ['twinlease lease get --scope-id 10.0.1.0 --client-id 00-15-5d-01-02-03'],
  params: z.strictObject(byClient),
  result: leases,
  changes: false,
  run: async ({ control }, given) => {
    const found = scopeNamed(control, given.ScopeId);
    if (found.kind === 'bad') return failed(found.problem);
    const { picked, errors } = pickClients(control, found.scope, given.ClientId);
    return listed(
      picked.map((binding) => leaseObject(control, found.scope, binding)),
      errors,
    );
  },
});

export const getLeaseByAddress = defineOperation({
  name: 'lease.get-by-ip-address',
  windows: 'PS_DhcpServerv4Lease.GetByIPAddress',
  summary: 'Shows the leases of these addresses.',
  examples: ['twinlease lease get --ip-address 10.0.1.20'],
  params: z.strictObject(byAddress),
  result: leases,
  changes: false,
  run: async ({ control }, given) => {
    const { picked, errors } = pickAddresses(control, given.IPAddress);
    return listed(
      picked.map(({ scope, binding }) => leaseObject(control, scope, binding)),
      errors,
    );
  },
});

export const getBadLeases = defineOperation({
  name: 'lease.get-by-bad-leases',
  windows: 'PS_DhcpServerv4Lease.GetByBadLeases',
  summary: 'Shows addresses that clients declined.',
  examples: ['twinlease lease get --bad-leases'],
  params: z.strictObject(byBad),
  result: leases,
  changes: false,
  run: async ({ control }, given) => {
    const found = badLeases(control, given.ScopeId);
    if (found.kind === 'bad') return failed(found.problem);
    return succeeded(found.picked.map(({ scope, binding }) => leaseObject(control, scope, binding)));
  },
});

const removed = leases.nullable();

export const removeLeaseByScope = defineOperation({
  name: 'lease.remove-by-scope-id',
  windows: 'PS_DhcpServerv4Lease.RemoveByScopeId',
  summary: 'Ends all leases of a scope; the clients are not told.',
  examples: ['twinlease lease remove --scope-id 10.0.1.0'],
  params: z.strictObject({ ...byScope, PassThru: params.passThru }),
  result: removed,
  changes: true,
  run: async (context, given) => {
    const found = scopeNamed(context.control, given.ScopeId);
    if (found.kind === 'bad') return failed(found.problem);
    const all = leasesOf(context.control, found.scope, false).map((binding) => ({ scope: found.scope, binding }));
    return await remove(context, all, [], given.PassThru === true);
  },
});

export const removeLeaseByClient = defineOperation({
  name: 'lease.remove-by-client-id',
  windows: 'PS_DhcpServerv4Lease.RemoveByClientId',
  summary: 'Ends the leases of these clients in a scope.',
  examples: ['twinlease lease remove --scope-id 10.0.1.0 --client-id 00-15-5d-01-02-03'],
  params: z.strictObject({ ...byClient, PassThru: params.passThru }),
  result: removed,
  changes: true,
  run: async (context, given) => {
    const found = scopeNamed(context.control, given.ScopeId);
    if (found.kind === 'bad') return failed(found.problem);
    const { picked, errors } = pickClients(context.control, found.scope, given.ClientId);
    return await remove(
      context,
      picked.map((binding) => ({ scope: found.scope, binding })),
      errors,
      given.PassThru === true,
    );
  },
});

export const removeLeaseByAddress = defineOperation({
  name: 'lease.remove-by-ip-address',
  windows: 'PS_DhcpServerv4Lease.RemoveByIPAddress',
  summary: 'Ends the leases of these addresses.',
  examples: ['twinlease lease remove --ip-address 10.0.1.20'],
  params: z.strictObject({ ...byAddress, PassThru: params.passThru }),
  result: removed,
  changes: true,
  run: async (context, given) => {
    const { picked, errors } = pickAddresses(context.control, given.IPAddress);
    return await remove(context, picked, errors, given.PassThru === true);
  },
});

export const removeBadLeases = defineOperation({
  name: 'lease.remove-by-bad-leases',
  windows: 'PS_DhcpServerv4Lease.RemoveByBadLeases',
  summary: 'Makes addresses that clients declined available again.',
  examples: ['twinlease lease remove --bad-leases'],
  params: z.strictObject({ ...byBad, PassThru: params.passThru }),
  result: removed,
  changes: true,
  run: async (context, given) => {
    const found = badLeases(context.control, given.ScopeId);
    if (found.kind === 'bad') return failed(found.problem);
    return await remove(context, found.picked, [], given.PassThru === true);
  },
});

interface Picked {
  readonly scope: Scope;
  readonly binding: Binding;
}

async function remove(
  context: OperationContext,
  picked: readonly Picked[],
  errors: readonly Problem[],
  passThru: boolean,
): Promise<Outcome<LeaseObject[] | null | WhatIfReport>> {
  const { control } = context;
  if (picked.length === 0 && errors.length > 0) return failed(...errors);
  const some = picked.slice(0, REMOVE_MAX);
  const objects = some.map(({ scope, binding }) => leaseObject(control, scope, binding));
  if (context.whatIf) {
    const lines = objects.map((one) => `Ends the lease of ${one.IPAddress} (${one.ClientId}).`);
    return succeeded({ whatIf: lines.length === 0 ? ['Nothing would change.'] : lines }, [], errors);
  }
  const { config } = control.revision();
  await control.changeBindings(some.map(({ scope, binding }) => endedBinding(control, config, scope, binding)));
  return succeeded(passThru ? objects : null, [], errors);
}

/** Specification 5.2: in a relationship an ended lease is available only after the partner has agreed. */
function endedBinding(control: Control, config: Config, scope: Scope, binding: Binding): Binding {
  const stateSinceAt = control.now().wallAt;
  if (relationshipOfScope(config, scope.scopeId) !== undefined) {
    return { ...binding, state: binding.state === 'abandoned' ? 'reset' : 'released', stateSinceAt, dirty: true };
  }
  return {
    ...binding,
    state: 'free',
    ownedAs: 'free',
    stateSinceAt,
    leaseEndAt: NEVER_AT,
    ipFlags: 0,
    dirty: false,
    told: false,
  };
}

function leasesOf(control: Control, scope: Scope, all: boolean): Binding[] {
  const reserved = new Set(scope.reservations.map((one) => addressOf(one.address)));
  const found: Binding[] = [];
  const seen = new Set<Ip4>();
  for (const binding of bindingsOf(control, addressOf(scope.scopeId))) {
    const isLease = binding.state === 'active' || (all && hasEnded(binding));
    if (!isLease) continue;
    found.push(binding);
    seen.add(binding.address);
  }
  if (!all) return found;
  for (const address of reserved) {
    const binding = seen.has(address) ? undefined : control.bindings.find(address);
    if (binding !== undefined) found.push(binding);
  }
  return found.sort((a, b) => a.address - b.address);
}

function hasEnded(binding: Binding): boolean {
  if (['expired', 'released', 'reset', 'abandoned'].includes(binding.state)) return true;
  return binding.state !== 'active' && binding.leaseEndAt !== NEVER_AT;
}

function pickClients(
  control: Control,
  scope: Scope,
  clients: readonly string[],
): { picked: Binding[]; errors: Problem[] } {
  const all = leasesOf(control, scope, false);
  const picked: Binding[] = [];
  const errors: Problem[] = [];
  if (clients.length === 0) errors.push(invalid('ClientId', 'no client is given'));
  for (const client of new Set(clients)) {
    const found = all.filter((binding) => isClientOf(binding, client));
    if (found.length === 0) errors.push(problem(control, 'lease/unknown', { object: client }, client));
    picked.push(...found);
  }
  return { picked: [...new Set(picked)], errors };
}

function pickAddresses(control: Control, addresses: readonly string[]): { picked: Picked[]; errors: Problem[] } {
  const { config } = control.revision();
  const picked: Picked[] = [];
  const errors: Problem[] = [];
  if (addresses.length === 0) errors.push(invalid('IPAddress', 'no address is given'));
  for (const text of new Set(addresses)) {
    const address = parseIp4(text);
    const scopeId = address === undefined ? undefined : control.bindings.scopeOf(address);
    const scope = scopeId === undefined ? undefined : config.scopes.find((one) => one.scopeId === formatIp4(scopeId));
    const binding = address === undefined ? undefined : control.bindings.find(address);
    const isLease = binding !== undefined && (binding.state === 'active' || hasEnded(binding));
    if (scope === undefined || binding === undefined || !isLease)
      errors.push(problem(control, 'lease/unknown', { object: text }, text));
    else picked.push({ scope, binding });
  }
  return { picked, errors };
}

type Bad =
  | { readonly kind: 'ok'; readonly picked: readonly Picked[] }
  | { readonly kind: 'bad'; readonly problem: Problem };

function badLeases(control: Control, scopeId: string | null | undefined): Bad {
  const named = scopeId == null || scopeId === '' ? undefined : scopeNamed(control, scopeId);
  if (named?.kind === 'bad') return named;
  const scopes = named === undefined ? control.revision().config.scopes : [named.scope];
  const picked: Picked[] = [];
  for (const scope of scopes) {
    for (const binding of bindingsOf(control, addressOf(scope.scopeId))) {
      if (binding.state === 'abandoned') picked.push({ scope, binding });
    }
  }
  return { kind: 'ok', picked };
}

function leaseObject(control: Control, scope: Scope, binding: Binding): LeaseObject {
  const address = formatIp4(binding.address);
  const reservation = scope.reservations.find((one) => one.address === address);
  const hasEnd = binding.leaseEndAt !== INFINITE_AT && binding.leaseEndAt !== NEVER_AT;
  return {
    AddressState: addressState(binding, reservation !== undefined),
    IPAddress: address,
    ScopeId: scope.scopeId,
    Description: reservation?.description ?? '',
    ClientId: bindingClientText(binding),
    HostName: binding.hostName === undefined ? '' : new TextDecoder().decode(binding.hostName),
    ClientType: (binding.ipFlags & IP_FLAG_BOOTP) !== 0 ? 'BootP' : 'Dhcp',
    LeaseExpiryTime: hasEnd ? binding.leaseEndAt : null,
    NapCapable: false,
    NapStatus: 'FullAccess',
    ProbationEnds: null,
    PolicyName: binding.policy === undefined ? null : new TextDecoder().decode(binding.policy),
    DnsRR: 'NoRegistration',
    DnsRegistration: 'NotApplicable',
    ServerIP: grantedBy(control, scope, binding),
  };
}

function addressState(binding: Binding, isReserved: boolean): string {
  if (binding.state === 'abandoned') return 'Declined';
  if (isReserved) return binding.state === 'active' ? 'ActiveReservation' : 'InactiveReservation';
  return binding.state === 'active' ? 'Active' : 'Expired';
}

/** Management specification 2.2: the partner that granted or renewed the lease. */
function grantedBy(control: Control, scope: Scope, binding: Binding): string | null {
  if (binding.grantedHere) return ownAddress(control);
  const relationship = relationshipOfScope(control.revision().config, scope.scopeId);
  return relationship === undefined ? null : (partnerByKey(control, relationship.partnerKey)?.host ?? null);
}
