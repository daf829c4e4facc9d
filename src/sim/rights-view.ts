/** What a server may do at this moment, as the checker asks of it. */
import type { Ip4 } from '../wire/units.ts';
import type { ServerProcess } from './process.ts';

/** Answers every client in some scope of the relationship. */
export function serves(process: ServerProcess): boolean {
  return (
    process.state() !== 'standalone' &&
    process.table.pools().some(({ scopeId }) => process.holds(scopeId) && process.serves(scopeId) === 'all')
  );
}

/** May give the address to a new client now. One that is reserved or excluded goes to no new client. */
export function mayAllocate(process: ServerProcess, address: Ip4): boolean {
  const scopeId = process.table.scopeOf(address);
  if (scopeId === undefined || process.serves(scopeId) !== 'all') return false;
  if (!process.table.isInPool(address) || !process.isShared(address)) return false;
  const binding = process.table.find(address);
  return binding !== undefined && process.core.rightsOf(scopeId).mayAllocate(process.now, binding);
}

/** The MCLT by this server's own configuration. */
export function mcltSecOf(process: ServerProcess): number {
  return process.configured()?.mcltSec ?? 0;
}
