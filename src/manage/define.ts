/**
 * Making and calling operations. Every operation checks rights and ComputerName before anything of its own; `invoke` adds the
 * schema in between and the audit line after, for a door that has raw parameters.
 */
import type { z } from 'zod';
import type { Problem } from '../core/problems/problem.ts';
import type { Caller, Control } from '../server/control.ts';
import { parseIp4 } from '../wire/units.ts';
import { failed, type Operation, type OperationContext, type Outcome, type WhatIfReport } from './operation.ts';
import { invalid, problem } from './problems.ts';

/** Problems reported for one request at most. */
const PARAMETER_PROBLEMS_MAX = 20;
/** Items of a list that the audit log shows one by one. */
const AUDITED_ITEMS_MAX = 200;

export interface OperationSpec<P, R> {
  readonly name: string;
  readonly windows?: string;
  readonly summary: string;
  readonly examples: readonly string[];
  readonly params: z.ZodType<P>;
  readonly result: z.ZodType<R>;
  readonly changes: boolean;
  /** The question that a door asks before it goes on, unless Force is given; undefined means that none is asked. */
  readonly confirm?: (params: P) => string | undefined;
  readonly run: (context: OperationContext, params: P) => Promise<Outcome<R | WhatIfReport>>;
}

/**
 * Makes an operation for the registry, whose members all have the same type. `run` is only ever called with what `params` has
 * accepted, so the types meet at run time.
 */
export function defineOperation<P, R>(spec: OperationSpec<P, R>): Operation {
  const { confirm } = spec;
  return {
    name: spec.name,
    windows: spec.windows,
    summary: spec.summary,
    examples: spec.examples,
    params: spec.params,
    result: spec.result,
    changes: spec.changes,
    ...(confirm === undefined ? {} : { confirm: (params: unknown) => confirm(params as P) }),
    run: async (context, params) => {
      const refusal = refused(context, spec, params);
      return refusal === undefined ? await spec.run(context, params as P) : failed(refusal);
    },
  };
}

/** What holds for every operation before its own checks: rights, then ComputerName (management specification 1.1, 1.8). */
function refused(
  { control, caller }: OperationContext,
  operation: { readonly name: string; readonly changes: boolean },
  params: unknown,
): Problem | undefined {
  if (operation.changes && caller.role !== 'administrator') {
    const slots = { account: caller.account, operation: operation.name };
    return problem(control, 'request/access-denied', slots, operation.name);
  }
  return wrongComputer(control, params);
}

export interface Request {
  readonly control: Control;
  readonly caller: Caller;
  readonly operation: Operation;
  readonly params: unknown;
  readonly whatIf: boolean;
}

/** Carries out one request of a front door. */
export async function invoke(request: Request): Promise<Outcome<unknown>> {
  const { control, caller, operation } = request;
  const denied = refused({ control, caller, whatIf: request.whatIf }, operation, undefined);
  if (denied !== undefined) return audited(request, failed(denied));
  const parsed = operation.params.safeParse(request.params ?? {});
  if (!parsed.success) return audited(request, failed(...parameterProblems(parsed.error)));
  const further: Problem[] = [];
  const warn = (warning: Problem): void => {
    further.push(warning);
  };
  const outcome = await operation.run({ control, caller, whatIf: request.whatIf, warn }, parsed.data);
  if (outcome.kind === 'failed' || further.length === 0) return audited(request, outcome);
  return audited(request, { ...outcome, warnings: [...outcome.warnings, ...further] });
}

function audited(request: Request, outcome: Outcome<unknown>): Outcome<unknown> {
  if (request.operation.changes && !request.whatIf) {
    request.control.audit({
      caller: request.caller,
      operation: request.operation.name,
      parameters: withoutSecrets(request.params),
      result: outcome.kind === 'ok' ? 'ok' : outcome.problems.map((p) => p.code).join(' '),
    });
  }
  return outcome;
}

function parameterProblems(error: z.ZodError): Problem[] {
  return error.issues.slice(0, PARAMETER_PROBLEMS_MAX).map((issue) => {
    if (issue.code === 'unrecognized_keys') return invalid(issue.keys.join(', '), 'there is no such parameter');
    const name = issue.path.map(String).join('.');
    return invalid(name === '' ? 'request' : name, lowerFirst(issue.message));
  });
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1);
}

/** Management specification 1.1: absent, empty, `localhost`, `.`, a loopback address, or any own name or address. */
function wrongComputer(control: Control, params: unknown): Problem | undefined {
  if (typeof params !== 'object' || params === null || !('ComputerName' in params)) return undefined;
  const name = params.ComputerName;
  if (typeof name !== 'string' || isOwnName(control, name)) return undefined;
  return problem(control, 'request/other-computer', { computer: name.slice(0, 255) }, 'ComputerName');
}

/** Whether a name or address means this server. */
export function isOwnName(control: Control, name: string): boolean {
  const wanted = name.trim().toLowerCase().replace(/\.$/, '');
  if (['', 'localhost', '.'].includes(wanted)) return true;
  const address = parseIp4(wanted);
  if (address !== undefined && address >>> 24 === 127) return true;
  const own = control.ownNames();
  return own.includes(wanted) || wanted === control.serverName.toLowerCase();
}

function withoutSecrets(params: unknown): unknown {
  if (typeof params !== 'object' || params === null) return params;
  return Object.fromEntries(
    Object.entries(params).map(([name, value]) => [
      name,
      /secret|code$/i.test(name) && value != null ? '(hidden)' : shortened(value),
    ]),
  );
}

/** A list as long as an import of leases would drive everything else out of the audit log. */
function shortened(value: unknown): unknown {
  return Array.isArray(value) && value.length > AUDITED_ITEMS_MAX ? `(${value.length} items)` : value;
}
