/**
 * What a change of configuration does to leases that run. The rules, which serving carries out:
 *
 * - A lease on an address that is excluded, cut off from the range or reserved for another client runs on to its end; its next
 *   renewal is refused (NAK), so its client moves to another address then, and nobody else gets the address before the end.
 * - A client that gets a reservation for another address moves there in the same way, as soon as that address is free.
 * - A deactivated scope gives nothing to new clients and refuses every renewal.
 * - A scope with running leases is deleted only by force; its leases are forgotten, and their clients are refused as soon as they
 *   speak to a server that serves their network.
 * - Every other change (options, lease time, delay) reaches a client with its next renewal.
 */
import { decodeRelayAgent, SUB_CIRCUIT_ID, SUB_REMOTE_ID } from '../../wire/dhcp/relay-agent.ts';
import { type EpochSec, formatIp4, INFINITE_AT, type Ip4, toHex } from '../../wire/units.ts';
import type { Binding, BindingTable } from '../bindings/binding.ts';
import { reservationKeyText } from './checks.ts';
import type { Config, Reservation, Scope } from './model.ts';
import { addressOf, poolShapeOf } from './pool-shape.ts';
import { utcText } from './utc-text.ts';

export type EffectKind =
  | 'scope-deleted'
  | 'scope-deactivated'
  | 'outside-range'
  | 'excluded'
  | 'reserved-for-another'
  | 'moves-to-reservation';

export interface LeaseEffect {
  readonly kind: EffectKind;
  readonly address: Ip4;
  readonly scopeId: Ip4;
  /** Client identifier, or hardware address with its type, in hexadecimal. */
  readonly client: string;
  readonly leaseEndAt: EpochSec;
}

export interface LeaseEffects {
  /** At most `EFFECTS_LISTED_MAX`, by scope and address. */
  readonly affected: readonly LeaseEffect[];
  /** All of them. */
  readonly counts: Readonly<Record<EffectKind, number>>;
  /** Scopes to be deleted that have running leases: refused without force. */
  readonly refusedWithoutForce: readonly { readonly scopeId: Ip4; readonly activeLeases: number }[];
}

export const EFFECTS_LISTED_MAX = 1000;
const SCAN_CHUNK = 1024;

/** The leases that a change touches. Reads the table only; scopes that stay as they are cost nothing. */
export function effectOnLeases(before: Config, after: Config, bindings: BindingTable): LeaseEffects {
  const affected: LeaseEffect[] = [];
  const counts: Record<EffectKind, number> = {
    'scope-deleted': 0,
    'scope-deactivated': 0,
    'outside-range': 0,
    excluded: 0,
    'reserved-for-another': 0,
    'moves-to-reservation': 0,
  };
  const refusedWithoutForce: { scopeId: Ip4; activeLeases: number }[] = [];
  const kept = new Map(after.scopes.map((scope) => [scope.scopeId, scope]));
  for (const old of before.scopes) {
    const next = kept.get(old.scopeId);
    if (next === old) continue;
    const scopeId = addressOf(old.scopeId);
    const judge = judgeOf(old, next);
    let activeLeases = 0;
    eachActive(bindings, scopeId, (binding) => {
      activeLeases++;
      const kind = judge(binding);
      if (kind === undefined) return;
      counts[kind]++;
      if (affected.length < EFFECTS_LISTED_MAX) affected.push(effectOf(kind, scopeId, binding));
    });
    if (next === undefined && activeLeases > 0) refusedWithoutForce.push({ scopeId, activeLeases });
  }
  return { affected, counts, refusedWithoutForce };
}

const EFFECT_TEXTS: Readonly<Record<EffectKind, string>> = {
  'scope-deleted': 'is forgotten with its scope; its client is refused when it next renews',
  'scope-deactivated': 'runs to its end; its renewals are refused while the scope is inactive',
  'outside-range': 'runs to its end; its next renewal is refused, because the address leaves the range',
  excluded: 'runs to its end; its next renewal is refused, because the address is excluded',
  'reserved-for-another': 'runs to its end; its next renewal is refused, and the reservation waits for that',
  'moves-to-reservation': 'is refused at its next renewal, so that the client moves to its reserved address',
};

/** The effects as lines for `--what-if`; empty when no lease is touched. */
export function effectLines(effects: LeaseEffects): string[] {
  const lines = effects.refusedWithoutForce.map(
    ({ scopeId, activeLeases }) =>
      `Scope ${formatIp4(scopeId)} has ${activeLeases} running leases and is deleted only with Force.`,
  );
  for (const effect of effects.affected) {
    const end = effect.leaseEndAt === INFINITE_AT ? 'without end' : `until ${utcText(effect.leaseEndAt)}`;
    lines.push(`The lease of ${formatIp4(effect.address)} (${effect.client}, ${end}) ${EFFECT_TEXTS[effect.kind]}.`);
  }
  const total = Object.values(effects.counts).reduce((sum, count) => sum + count, 0);
  const unlisted = total - effects.affected.length;
  if (unlisted > 0) lines.push(`${unlisted} more leases are touched in the same ways.`);
  return lines;
}

/** What becomes of a running lease of the old scope under the new one; undefined when it goes on as before. */
function judgeOf(old: Scope, next: Scope | undefined): (binding: Binding) => EffectKind | undefined {
  if (next === undefined) return () => 'scope-deleted';
  if (old.state === 'Active' && next.state === 'Inactive') return () => 'scope-deactivated';
  const shapes = [poolShapeOf(old), poolShapeOf(next)] as const;
  const reservations = [reservationsOf(old), reservationsOf(next)] as const;
  const barOf = (i: 0 | 1, binding: Binding): EffectKind | undefined => {
    const { address } = binding;
    const reserved = reservations[i].byAddress.get(address);
    if (reserved !== undefined) return isFor(reserved, binding) ? undefined : 'reserved-for-another';
    const { firstAddress, lastAddress, exclusions } = shapes[i];
    if (address < firstAddress || address > lastAddress) return 'outside-range';
    if (exclusions.some(({ first, last }) => address >= first && address <= last)) return 'excluded';
    const elsewhere = ownReservation(reservations[i].byClient, binding);
    return elsewhere !== undefined && addressOf(elsewhere.address) !== address ? 'moves-to-reservation' : undefined;
  };
  return (binding) => {
    const kind = barOf(1, binding);
    return kind === barOf(0, binding) ? undefined : kind;
  };
}

interface Reserved {
  readonly byAddress: ReadonlyMap<Ip4, Reservation>;
  readonly byClient: ReadonlyMap<string, Reservation>;
}

function reservationsOf(scope: Scope): Reserved {
  return {
    byAddress: new Map(scope.reservations.map((reservation) => [addressOf(reservation.address), reservation])),
    byClient: new Map(scope.reservations.map((reservation) => [reservationKeyText(reservation.client), reservation])),
  };
}

function ownReservation(byClient: ReadonlyMap<string, Reservation>, binding: Binding): Reservation | undefined {
  const { clientId, hardware } = binding;
  const byId = clientId === undefined ? undefined : byClient.get(`client-id ${toHex(clientId)}`);
  if (byId !== undefined || hardware === undefined) return byId;
  return byClient.get(`hardware ${hardware[0]} ${toHex(hardware.subarray(1))}`);
}

function isFor(reservation: Reservation, binding: Binding): boolean {
  const { client } = reservation;
  switch (client.kind) {
    case 'client-id':
      return binding.clientId !== undefined && toHex(binding.clientId) === client.hex;
    case 'hardware':
      return (
        binding.hardware !== undefined &&
        binding.hardware[0] === (client.htype ?? 1) &&
        toHex(binding.hardware.subarray(1)) === client.hex
      );
    case 'circuit-id':
      return subOptionHex(binding, SUB_CIRCUIT_ID) === client.hex;
    case 'remote-id':
      return subOptionHex(binding, SUB_REMOTE_ID) === client.hex;
    default:
      return client satisfies never;
  }
}

function subOptionHex(binding: Binding, code: number): string | undefined {
  const read = binding.relayInfo === undefined ? undefined : decodeRelayAgent(binding.relayInfo);
  const value = read?.kind === 'ok' ? read.value.get(code) : undefined;
  return value === undefined ? undefined : toHex(value);
}

function eachActive(bindings: BindingTable, scopeId: Ip4, visit: (binding: Binding) => void): void {
  let from = scopeId;
  for (;;) {
    const seen = bindings.scan(scopeId, from, SCAN_CHUNK);
    for (const binding of seen) if (binding.state === 'active') visit(binding);
    const last = seen[seen.length - 1];
    if (last === undefined || seen.length < SCAN_CHUNK) return;
    from = (last.address + 1) as Ip4;
  }
}

function effectOf(kind: EffectKind, scopeId: Ip4, binding: Binding): LeaseEffect {
  const client = binding.clientId ?? binding.hardware ?? new Uint8Array();
  return { kind, address: binding.address, scopeId, client: toHex(client), leaseEndAt: binding.leaseEndAt };
}
