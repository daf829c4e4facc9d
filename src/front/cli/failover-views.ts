/** Relationships as people read them. */
import { automaticView, isShape, shapeLines, type View } from './views.ts';

/** One block of lines for each relationship, as PowerShell's list. */
export const FAILOVER_VIEW: View = (value, context) => {
  const relationships = (Array.isArray(value) ? value : [value]).filter(isShape);
  if (relationships.length === 0) return Array.isArray(value) ? ['There is no failover relationship.'] : automaticView(value, context);
  return relationships.flatMap((one, index) => (index === 0 ? shapeLines(one) : ['', ...shapeLines(one)]));
};
