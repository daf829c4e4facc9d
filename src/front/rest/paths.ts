/** Paths of the REST door: `failover.add-by-load-balance` is `POST /api/v1/failover/add-by-load-balance`. */
import type { Operation } from '../../manage/operation.ts';

export const API_ROOT = '/api/v1';

export function pathOf(operation: Pick<Operation, 'name'>): string {
  return `${API_ROOT}/${operation.name.replaceAll('.', '/')}`;
}
