/** What a row of the command table (`commands.ts`) says: which operations stand behind the words, and how to choose. */
import type { View } from './views.ts';

/** What the command line gave, by Windows's parameter names. */
export type Given = Readonly<Record<string, unknown>>;

/** An option that only helps to choose the operation and is not sent. */
export interface LocalOption {
  readonly name: string;
  /** A flag has none. */
  readonly choices?: readonly string[];
  readonly description: string;
}

export interface CommandSpec {
  /** `failover add-scope`. */
  readonly words: string;
  /** Operations behind the command; the first is taken unless `choose` says otherwise. */
  readonly operations: readonly string[];
  /** Overrides the operation's own summary where several stand behind one command. */
  readonly summary?: string;
  readonly choose?: (given: Given, local: Given) => string;
  readonly local?: readonly LocalOption[];
  /** The parameter that may stand without its option's name; its kind decides whether one or several. */
  readonly positional?: readonly string[];
  /** A parameter whose value is JSON read from the file that the argument names. */
  readonly file?: { readonly parameter: string; readonly isOptional?: boolean };
  /** Parameters asked for on the terminal when they are not given. */
  readonly asked?: readonly { readonly parameter: string; readonly question: string }[];
  /** Secrets that null and lists that nothing takes away; neither is the same as left out here. */
  readonly erasable?: readonly string[];
  readonly examples?: readonly string[];
  readonly view?: View;
}

/** Takes the operation of the first row whose parameter is given. */
export function byGiven(rows: readonly (readonly [string, string])[], otherwise: string): (given: Given) => string {
  return (given) => rows.find(([parameter]) => given[parameter] !== undefined)?.[1] ?? otherwise;
}
