/**
 * Reads a configuration of Kea 2.x for DHCPv4 (`kea-dhcp4.conf`) into a plan. Every member of every object has a line in the report.
 */
import type { OptionDefinition, OptionValue } from '../../core/config/model.ts';
import type { ImportPlan } from '../plan.ts';
import { classValues } from './classes.ts';
import type { Context } from './context.ts';
import { booleanIn, fieldsOf } from './fields.ts';
import { type ReadInclude, readJson } from './json.ts';
import { defineOptions } from './option-define.ts';
import { Definitions } from './option-definitions.ts';
import { levelValues } from './option-levels.ts';
import { declineHoldSec, noteHooks, noteLeaseDatabase, noteParameters } from './parameters.ts';
import { KeaReport } from './report.ts';
import { addGlobalReservations, readScopes } from './scopes.ts';

export interface KeaSource {
  readonly file: string;
  readonly readInclude?: ReadInclude;
}

export type KeaRead =
  | { readonly kind: 'ok'; readonly plan: ImportPlan }
  | { readonly kind: 'bad'; readonly why: string; readonly line: number };

export async function readKea(text: string, source: KeaSource): Promise<KeaRead> {
  const json = await readJson(text, source.file, source.readInclude);
  if (json.kind === 'bad') return json;
  const root = fieldsOf(json.value);
  const dhcp4 = root.get('Dhcp4');
  if (dhcp4?.value.kind !== 'object')
    return { kind: 'bad', why: 'there is no "Dhcp4" in it: it is no configuration of Kea’s DHCPv4 server', line: 1 };
  const report = new KeaReport();
  report.carried(dhcp4, 'the configuration of the DHCPv4 server');
  for (const [key, member] of root)
    if (key !== 'Dhcp4') report.wholeNotCarried(member, 'it belongs to another of Kea’s servers');
  const context: Context = { report, definitions: new Definitions(), global: fieldsOf(dhcp4.value) };
  const plan = planOf(context);
  return { kind: 'ok', plan: { ...plan, report: report.lines(json.value, json.includes) } };
}

function planOf(context: Context): ImportPlan {
  const { report, global, definitions } = context;
  const optionDefinitions: OptionDefinition[] = [];
  defineOptions(context, global, definitions, optionDefinitions);
  const options: OptionValue[] = [...levelValues(context, global, 'the server', definitions)].map(([code, hex]) => ({
    code,
    hex,
  }));
  options.push(...classValues(context));
  const scopes = readScopes(context);
  addGlobalReservations(context, scopes);
  noteHooks(context, global.get('hooks-libraries'));
  noteLeaseDatabase(context, global.get('lease-database'));
  noteParameters(context, global, 'global');
  const authoritative = booleanIn(global, 'authoritative');
  report.carried(global.get('authoritative'), 'whether the server refuses leases that it does not know');
  const holdSec = declineHoldSec(context);
  return {
    source: 'kea',
    server: {
      options,
      ...(authoritative === undefined ? {} : { authoritative }),
      ...(holdSec === undefined ? {} : { declineHoldSec: holdSec }),
    },
    optionDefinitions,
    scopes: scopes.map(({ scope }) => scope),
    relationships: [],
    report: [],
  };
}
