/**
 * Names at the REST door: camelCase outside, Windows's PascalCase inside. Parameters are found whatever their case, as Windows
 * does, at their top level only (what is below is data); results are turned throughout.
 */
export function toInner(params: Readonly<Record<string, unknown>>, known: readonly string[]): Record<string, unknown> {
  const byLower = new Map(known.map((name) => [name.toLowerCase(), name]));
  return Object.fromEntries(
    Object.entries(params).map(([key, value]) => [byLower.get(key.toLowerCase()) ?? key, value]),
  );
}

export function toOuter(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toOuter);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [outerName(key), toOuter(inner)]));
}

/** `ScopeId` is `scopeId`, `IPAddress` is `ipAddress`. */
export function outerName(name: string): string {
  const leading = /^[A-Z]+(?=[A-Z][a-z])/.exec(name)?.[0] ?? (/^[A-Z]+$/.test(name) ? name : name.charAt(0));
  return leading.toLowerCase() + name.slice(leading.length);
}
