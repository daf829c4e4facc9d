/** Reading members of Kea's objects by name and type. What is absent and what has the wrong type is undefined here. */
import type { Json, Member } from './json.ts';

export type Fields = ReadonlyMap<string, Member>;

export function fieldsOf(value: Json | undefined): Fields {
  return new Map(value?.kind === 'object' ? value.members.map((member) => [member.key, member]) : []);
}

/** The objects of a list, in order; what else is in the list is for the report to tell. */
export function objectsIn(member: Member | undefined): Fields[] {
  if (member?.value.kind !== 'array') return [];
  return member.value.items.filter((item) => item.kind === 'object').map(fieldsOf);
}

export function textIn(fields: Fields, key: string): string | undefined {
  const value = fields.get(key)?.value;
  return value?.kind === 'string' ? value.text : undefined;
}

/** A whole number that is not negative. */
export function numberIn(fields: Fields, key: string): number | undefined {
  const value = fields.get(key)?.value;
  if (value?.kind !== 'number' || !Number.isSafeInteger(value.value) || value.value < 0) return undefined;
  return value.value;
}

export function booleanIn(fields: Fields, key: string): boolean | undefined {
  const value = fields.get(key)?.value;
  return value?.kind === 'boolean' ? value.value : undefined;
}

export function textsIn(fields: Fields, key: string): string[] {
  const value = fields.get(key)?.value;
  if (value?.kind !== 'array') return [];
  return value.items.filter((item) => item.kind === 'string').map((item) => item.text);
}
