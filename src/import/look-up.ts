/** Words of a file are looked up in tables as they are: a table must not answer for `toString`, which every object has. */
export function lookUp<T>(table: Readonly<Record<string, T>>, word: string): T | undefined {
  return Object.hasOwn(table, word) ? table[word] : undefined;
}
