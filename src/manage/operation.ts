/**
 * The contract of an operation: one function per thing an administrator can do, with its parameters as a schema. Every front
 * door finds the operations in the registry (`registry.ts`) and only translates: REST paths, the OpenAPI document, the CLI's
 * subcommands and their help all come from these descriptions.
 */
import type { z } from 'zod';
import type { Problem } from '../core/problems/problem.ts';
import type { Caller, Control } from '../server/control.ts';

export type Outcome<T> =
  /** `errors` are non-terminating: they concern single items of a list while the others succeeded. */
  | {
      readonly kind: 'ok';
      readonly value: T;
      readonly warnings: readonly Problem[];
      readonly errors: readonly Problem[];
    }
  | { readonly kind: 'failed'; readonly problems: readonly Problem[] };

export interface OperationContext {
  readonly control: Control;
  readonly caller: Caller;
  /** Nothing changes; the value says what would happen as lines of text (`WhatIfReport`). */
  readonly whatIf: boolean;
  /** What the operator should hear beside the operation's own warnings; `invoke` adds it to the answer. */
  readonly warn?: (warning: Problem) => void;
}

export interface WhatIfReport {
  readonly whatIf: readonly string[];
}

export interface Operation<P = unknown, R = unknown> {
  /** Dotted kebab case, also the CLI's words: `failover.add-by-load-balance`, `scope.add`, `lease.get-by-scope-id`. */
  readonly name: string;
  /** `PS_DhcpServerv4Failover.AddByLoadBalance`, where Windows has it. */
  readonly windows: string | undefined;
  /** One sentence. */
  readonly summary: string;
  /** A CLI line or two. */
  readonly examples: readonly string[];
  /** Parameter names are Windows's own in PascalCase; the doors show them as camelCase (REST) and kebab case (CLI). */
  readonly params: z.ZodType<P>;
  readonly result: z.ZodType<R>;
  readonly changes: boolean;
  /** The question that a door with a person in front of it asks first, unless Force is given (management specification 1.9). */
  confirm?(params: P): string | undefined;
  run(context: OperationContext, params: P): Promise<Outcome<R | WhatIfReport>>;
}

export function succeeded<T>(value: T, warnings: readonly Problem[] = [], errors: readonly Problem[] = []): Outcome<T> {
  return { kind: 'ok', value, warnings, errors };
}

export function failed(...problems: readonly Problem[]): {
  readonly kind: 'failed';
  readonly problems: readonly Problem[];
} {
  return { kind: 'failed', problems };
}
