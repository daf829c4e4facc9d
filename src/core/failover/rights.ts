/**
 * What serving may do in the scopes of a relationship at this moment (failover specification 4.1, 5.5, 6.2, 8.4, 8.5 and design
 * part 3). Read only: nothing here changes the endpoint.
 */
import { isSet } from '../../wire/failover/hash-buckets.ts';
import { WINDOWS_HASHES_HARDWARE } from '../../wire/failover/unverified.ts';
import type { EpochSec, Ip4, Now, Sec } from '../../wire/units.ts';
import type { Binding } from '../bindings/binding.ts';
import {
  allowanceSec,
  type Context,
  isCommunicating,
  isWhole,
  mcltSec,
  ownKind,
  stateOf,
  waitMcltSec,
} from './context.ts';
import type { AnswerAsk, Rights } from './endpoint-types.ts';
import { lossEndsAt, mayExpire, mayRevive } from './expiry.ts';
import { UNANSWERED_MS_MAX } from './limits.ts';
import { SERVICE } from './states.ts';
import {
  boundedGrantSec,
  goneClientsAddressUsableAt,
  partnersAddressesUsableAt,
  potentialAfterGrantAt,
} from './times.ts';

export function makeRights(ctx: Context): Rights {
  return {
    get relationshipName() {
      return ctx.config.name;
    },
    get own() {
      return ownKind(ctx);
    },
    service: (now, scopeId) => service(ctx, now, scopeId),
    answers: (_now, ask) => answers(ctx, ask),
    mayAllocate: (now, binding) => mayAllocate(ctx, now, binding),
    mayTakeEnded: () => actsAlone(ctx),
    partnersUsableAt: () => partnersUsableAt(ctx),
    grantSec: (now, desired, binding) => boundedGrantSec(now.wallAt, desired, mcltSec(ctx), binding),
    potentialEndAt: (now, desired, granted, binding) =>
      potentialAfterGrantAt(now.wallAt, desired, granted, binding.sentPotentialAt),
    isNormal: () => ctx.mode === 'running' && ctx.record.state === 'normal',
    mayExpire: () => mayExpire(ctx),
    mayRevive: (_now, binding) => mayRevive(ctx, binding),
    mayReset: (now, binding) => now.wallAt >= lossEndsAt(ctx, binding),
  };
}

function service(
  ctx: Context,
  now: Now,
  scopeId: Ip4,
): { readonly serves: 'all' | 'renew' | 'none'; readonly why: string } {
  const state = stateOf(ctx);
  const serves = SERVICE[state];
  if (serves === 'none') return { serves, why: `failover state ${state}` };
  if (now.wallAt < ctx.record.recoverWaitUntilAt)
    return { serves: 'none', why: 'leases given before a loss may still run' };
  if (!isWhole(ctx)) return { serves: 'none', why: 'the leases lost here are not fetched yet' };
  if (ctx.record.silentScopeIds.includes(scopeId))
    return { serves: 'none', why: 'the scope is new here; its leases are being fetched' };
  return { serves, why: `failover state ${state}` };
}

/** Specification 8.4, 8.5: balancing in NORMAL only, and never at the price of a client without answer. */
function answers(ctx: Context, ask: AnswerAsk): { readonly yes: boolean; readonly why: string } {
  const state = stateOf(ctx);
  if (state !== 'normal' || !isCommunicating(ctx)) return { yes: true, why: `no balancing in ${state}` };
  const isHot = ctx.config.mode === 'HotStandby';
  const isByHardware = ctx.config.profile === 'msft' && WINDOWS_HASHES_HARDWARE;
  const bucket = isByHardware ? (ask.hardwareBucket ?? ask.bucket) : ask.bucket;
  const isOurs = isSet(ctx.buckets, bucket & 0xff) === (ctx.config.role === 'primary');
  if (isOurs) return { yes: true, why: isHot ? 'this server is the active one' : 'the hash is ours' };
  if (ctx.unservedThere.has(ask.scopeId)) return { yes: true, why: 'the partner does not serve this scope now' };
  if (ask.secs > ctx.config.loadBalanceMaxSec) return { yes: true, why: `the client has waited ${ask.secs} s` };
  if (ask.unansweredMs >= UNANSWERED_MS_MAX) return { yes: true, why: 'the client repeats itself unanswered' };
  const { free, backup } = ctx.bindings.counts(ask.scopeId);
  const [own, partners] = ctx.config.role === 'primary' ? [free, backup] : [backup, free];
  if (partners === 0 && own > 0) return { yes: true, why: 'the partner has no address left' };
  return { yes: false, why: isHot ? 'the partner is the active one' : 'the hash is the partner’s' };
}

/** Specification 4.1 and 5.5. */
function mayAllocate(ctx: Context, now: Now, binding: Binding): boolean {
  const state = stateOf(ctx);
  if (SERVICE[state] !== 'all') return false;
  const isAlone = actsAlone(ctx);
  switch (binding.state) {
    case 'free':
    case 'backup': {
      if (binding.state === ownKind(ctx)) return true;
      // A reserved address goes to its one rightful client from either server (specification 5.3).
      if (!ctx.bindings.isInPool(binding.address)) return true;
      // Specification 5.3, 5.5: the partner may have given it to a BOOTP client, whose lease has no end.
      const scopeId = ctx.bindings.scopeOf(binding.address);
      if (scopeId !== undefined && ctx.config.bootpScopeIds?.includes(scopeId) === true) return false;
      const usableAt = partnersUsableAt(ctx);
      return isAlone && usableAt !== undefined && now.wallAt >= usableAt;
    }
    case 'expired':
    case 'released':
    case 'reset': {
      if (!isAlone || ctx.outbox.byAddress.has(binding.address)) return false;
      const downAt = ctx.record.partnerDownAt;
      return now.wallAt >= goneClientsAddressUsableAt(binding, downAt, waitMcltSec(ctx, downAt), allowanceSec(ctx));
    }
    case 'active':
    case 'abandoned':
      return false;
    default:
      return binding.state satisfies never;
  }
}

function actsAlone(ctx: Context): boolean {
  return stateOf(ctx) === 'partner-down' && ctx.isClockTrusted;
}

function partnersUsableAt(ctx: Context): EpochSec | undefined {
  if (ctx.mode !== 'running' || ctx.record.state !== 'partner-down') return undefined;
  const downAt = ctx.record.partnerDownAt;
  return partnersAddressesUsableAt(downAt, waitMcltSec(ctx, downAt) as Sec, allowanceSec(ctx));
}
