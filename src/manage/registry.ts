/**
 * Every operation there is. The front doors take names, parameters and help from here and know no operation by themselves.
 */
import { addByHotStandby, addByLoadBalance } from './failover-add.ts';
import { getByName, getByScopeId } from './failover-get.ts';
import { removeFailover } from './failover-remove.ts';
import { addFailoverScope, removeFailoverScope } from './failover-scope.ts';
import { setFailover } from './failover-set.ts';
import type { Operation } from './operation.ts';
import { invokeByName, invokeByScopeId } from './replication.ts';

export const OPERATIONS: readonly Operation[] = [
  addByLoadBalance,
  addByHotStandby,
  getByName,
  getByScopeId,
  setFailover,
  removeFailover,
  addFailoverScope,
  removeFailoverScope,
  invokeByName,
  invokeByScopeId,
];

const BY_NAME: ReadonlyMap<string, Operation> = new Map(OPERATIONS.map((operation) => [operation.name, operation]));

export function operationByName(name: string): Operation | undefined {
  return BY_NAME.get(name);
}
