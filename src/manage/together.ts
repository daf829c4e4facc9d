/**
 * Running a change on both servers for an operation, or saying what it would do on each.
 */
import { z } from 'zod';
import type { Partner } from '../core/config/model.ts';
import type { Problem } from '../core/problems/problem.ts';
import { applyBody, type ChangeBody, locksOf } from './change-body.ts';
import { changesOf } from './changes.ts';
import { followerOf } from './follow.ts';
import { failed, type OperationContext, type Outcome, succeeded, type WhatIfReport } from './operation.ts';
import { callPartner, readProblem } from './partner-client.ts';
import { problem } from './problems.ts';
import { whatWouldChange } from './what-if.ts';

export interface Together {
  readonly partner: Partner;
  readonly body: ChangeBody;
  readonly secret: string | undefined;
}

export type Made =
  | { readonly kind: 'ok'; readonly warnings: readonly Problem[] }
  | { readonly kind: 'failed'; readonly problems: readonly Problem[] };

export async function runTogether(context: OperationContext, together: Together): Promise<Made> {
  const { control } = context;
  const { partner, body } = together;
  const changes = changesOf(control);
  const by = `${context.caller.account} (${context.caller.door})`;
  const ended = await changes.run({ ...together, by });
  if (ended.kind === 'refused') return failed(ended.problem);
  followerOf(control).onConfigChanged();
  if (ended.kind === 'done') return { kind: 'ok', warnings: [] };
  const open = changes.open().find((one) => one.relationship === body.name);
  const slots = { id: open?.id ?? '', name: body.name, partner: partner.name };
  return { kind: 'ok', warnings: [problem(control, 'change/not-confirmed', slots, body.name)] };
}

const checkedSchema = z.object({ problem: z.unknown() });

/** Both servers check; nothing is promised and nothing changes. */
export async function whatIfTogether(context: OperationContext, together: Together): Promise<Outcome<WhatIfReport>> {
  const { control } = context;
  const { partner, body } = together;
  const changes = changesOf(control);
  const { config } = control.revision();
  const applied = applyBody(config, body, {
    side: 'coordinator',
    serverName: control.serverName,
    partnerKey: partner.key,
    wallAt: control.now().wallAt,
    secretRef: together.secret === undefined ? null : 'new secret',
  });
  if (applied.kind === 'bad') return failed(applied.problem);
  if (locksOf(body).length > 0 && changes.isLocked(body.name)) return failed(changes.busy(body.name));
  const call = { method: 'change.check', params: { body }, answer: checkedSchema };
  const checked = await callPartner(control, partner, call);
  if (checked.kind === 'failed') return failed(checked.problem);
  if (checked.value.problem !== null) return failed(readProblem(checked.value.problem));
  const here = whatWouldChange(control, config, applied.config).map((line) => `${control.serverName}: ${line}`);
  return succeeded({ whatIf: [...here, ...linesAtPartner(partner, body)] });
}

function linesAtPartner(partner: Partner, body: ChangeBody): string[] {
  const say = (text: string): string => `${partner.name}: ${text}`;
  switch (body.kind) {
    case 'add-relationship':
      return [
        say(`Adds relationship ${body.name}.`),
        ...body.scopes.map(({ scope }) => say(`Adds scope ${scope.scopeId}, silent until it holds the leases.`)),
      ];
    case 'add-scopes':
      return body.scopes.map(({ scope }) => say(`Adds scope ${scope.scopeId}, silent until it holds the leases.`));
    case 'set':
      return [say(`Changes relationship ${body.name} in the same way.`)];
    case 'remove-relationship':
      return [
        say(`Removes relationship ${body.name}.`),
        ...body.scopeIds.map((scopeId) => say(`Removes scope ${scopeId}.`)),
      ];
    case 'remove-scopes':
      return body.scopeIds.map((scopeId) => say(`Removes scope ${scopeId}.`));
    default:
      return body satisfies never;
  }
}
