/**
 * Free addresses: PS_DhcpServerv4FreeIPAddress (management specification 2.1, 2.2). In a relationship only the addresses that are
 * this server's to give are free here.
 */
import { z } from 'zod';
import { addressOf } from '../core/config/pool-shape.ts';
import type { Problem } from '../core/problems/problem.ts';
import type { Control } from '../server/control.ts';
import { formatIp4, type Ip4, parseIp4 } from '../wire/units.ts';
import { ownerOf } from './change-body.ts';
import { defineOperation } from './define.ts';
import { failed, succeeded } from './operation.ts';
import * as params from './params.ts';
import { invalid, problem } from './problems.ts';
import { scopeNamed } from './reservation.ts';
import { relationshipOfScope } from './shared-config.ts';

/** Management specification 2.2. */
const NUMBER_MAX = 1024;
const SCAN_BATCH = 1024;

export const getFreeAddress = defineOperation({
  name: 'free-address.get',
  windows: 'PS_DhcpServerv4FreeIPAddress.Get',
  summary: 'Finds addresses of a scope that nobody has.',
  examples: ['twinlease free-address get --scope-id 10.0.1.0 --num-address 5'],
  params: z.strictObject({
    ...params.common,
    ScopeId: params.scopeId,
    NumAddress: params.uint32.nullish().describe('How many, 1 to 1024; 1.'),
    StartAddress: params.optionalText,
    EndAddress: params.optionalText,
  }),
  result: z.array(z.string()),
  changes: false,
  run: async ({ control }, given) => {
    const found = scopeNamed(control, given.ScopeId);
    if (found.kind === 'bad') return failed(found.problem);
    const { scope } = found;
    const wanted = given.NumAddress ?? 1;
    if (wanted < 1) return failed(invalid('NumAddress', 'it must be one or more'));
    const first = given.StartAddress == null ? addressOf(scope.startRange) : parseIp4(given.StartAddress);
    const last = given.EndAddress == null ? addressOf(scope.endRange) : parseIp4(given.EndAddress);
    if (first === undefined) return failed(invalid('StartAddress', 'it is not an address'));
    if (last === undefined) return failed(invalid('EndAddress', 'it is not an address'));
    const count = Math.min(wanted, NUMBER_MAX);
    const free = freeAddresses(control, scope.scopeId, { first, last, count });
    const { scopeId } = scope;
    if (free.length === 0) return failed(problem(control, 'scope/full', { scopeId }, scopeId));
    const warnings: Problem[] =
      free.length < count
        ? [problem(control, 'scope/few-free', { scopeId, wanted: count, found: free.length }, scopeId)]
        : [];
    return succeeded(free, warnings);
  },
});

function freeAddresses(
  control: Control,
  scopeId: string,
  wanted: { readonly first: Ip4; readonly last: Ip4; readonly count: number },
): string[] {
  const relationship = relationshipOfScope(control.revision().config, scopeId);
  const own = relationship === undefined ? 'free' : ownerOf(relationship.role);
  const found: string[] = [];
  let from = wanted.first;
  for (;;) {
    const batch = control.bindings.scanAll(addressOf(scopeId), from, SCAN_BATCH);
    for (const binding of batch) {
      if (binding.address > wanted.last || found.length >= wanted.count) return found;
      if (binding.state === own && control.bindings.isInPool(binding.address)) found.push(formatIp4(binding.address));
    }
    const last = batch.at(-1);
    if (last === undefined || batch.length < SCAN_BATCH) return found;
    from = (last.address + 1) as Ip4;
  }
}
