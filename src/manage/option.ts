/**
 * Values of options: PS_DhcpServerv4OptionValue (management specification 2.1, 2.2), at server, scope and reservation level. A
 * value rests in wire form; its texts come from the option table or from an operator's own definition.
 */
import { z } from 'zod';
import type { Config, OptionDefinition, OptionValue } from '../core/config/model.ts';
import type { Problem } from '../core/problems/problem.ts';
import type { Control } from '../server/control.ts';
import {
  type OptionDefinitionType,
  optionFromText,
  optionName,
  optionRow,
  optionToText,
  standardDefinitionOf,
} from '../wire/dhcp/options.ts';
import { fromHex, toHex } from '../wire/units.ts';
import { defineOperation } from './define.ts';
import { changeLocally } from './local-change.ts';
import { failed, type OperationContext, type Outcome, succeeded, type WhatIfReport } from './operation.ts';
import * as params from './params.ts';
import { invalid, listed, problem } from './problems.ts';
import { replaceScope } from './scope.ts';
import { readScopeIds } from './scope-list.ts';
import { scopeOf } from './shared-config.ts';

export const WINDOWS_TYPES: Readonly<Record<OptionDefinitionType, string>> = {
  byte: 'Byte',
  word: 'Word',
  dword: 'DWord',
  'dword-dword': 'DWordDWord',
  'ipv4-address': 'IPv4Address',
  string: 'String',
  binary: 'BinaryData',
  encapsulated: 'EncapsulatedData',
};

const optionSchema = z.object({
  OptionId: z.int(),
  Type: z.string(),
  UserClass: z.string(),
  VendorClass: z.string(),
  Value: z.array(z.string()),
  Name: z.string(),
  PolicyName: z.string().nullable(),
});
type OptionObject = z.infer<typeof optionSchema>;

/** Where a value stands: the reservation goes before the scope, the scope before the server. */
const level = {
  ScopeId: params.optionalText.describe('Options of this scope; of the server when left out.'),
  ReservedIP: params.optionalText.describe('Options of this reservation.'),
  VendorClass: params.optionalText,
  UserClass: params.optionalText,
  PolicyName: params.optionalText,
};
type Level = z.infer<z.ZodObject<typeof level>>;
const optionId = z.int().min(1).max(254);

export const getOption = defineOperation({
  name: 'option.get',
  windows: 'PS_DhcpServerv4OptionValue.Get',
  summary: 'Shows values of options.',
  examples: ['twinlease option get --scope-id 10.0.1.0', 'twinlease option get --option-id 3'],
  params: z.strictObject({
    ...params.common,
    ...level,
    OptionId: z.array(optionId).nullish(),
    All: params.flag.describe('Of every vendor and user class.'),
    Brief: params.flag.describe('Without values.'),
  }),
  result: z.array(optionSchema),
  changes: false,
  run: async ({ control }, given) => {
    const { config } = control.revision();
    const place = placeOf(control, config, given);
    if (place.kind === 'bad') return failed(place.problem);
    const here = place.options.filter((option) => given.All === true || isOfClass(option, given));
    const wanted = given.OptionId ?? [];
    const found = here.filter((option) => wanted.length === 0 || wanted.includes(option.code));
    const errors = wanted
      .filter((code) => !here.some((option) => option.code === code))
      .map((code) => problem(control, 'option/unknown', { optionId: code }, String(code)));
    const objects = found.map((option) => optionObject(config, option));
    return listed(given.Brief === true ? objects.map((one) => ({ ...one, Value: [] })) : objects, errors);
  },
});

export const setOptionById = defineOperation({
  name: 'option.set-by-option-id',
  windows: 'PS_DhcpServerv4OptionValue.SetByOptionId',
  summary: 'Sets the value of an option.',
  examples: ['twinlease option set --scope-id 10.0.1.0 --option-id 3 --value 10.0.1.1'],
  params: z.strictObject({
    ...params.common,
    ...level,
    OptionId: optionId,
    Value: params.texts.describe('One text for each element.'),
    Force: params.force,
    PassThru: params.passThru,
  }),
  result: optionSchema.nullable(),
  changes: true,
  run: async (context, given) => {
    const outcome = await set(context, given, [{ code: given.OptionId, texts: given.Value, parameter: 'Value' }]);
    if (outcome.kind === 'failed' || 'whatIf' in outcome.value) return outcome as Outcome<WhatIfReport>;
    return succeeded(given.PassThru === true ? (outcome.value.set[0] ?? null) : null);
  },
});

/** Parameters of SetByCommonOptions and the options behind them. */
const COMMON_OPTIONS = { DnsDomain: 15, DnsServer: 6, Router: 3, WinsServer: 44, Wpad: 252 } as const;

export const setCommonOptions = defineOperation({
  name: 'option.set-by-common-options',
  windows: 'PS_DhcpServerv4OptionValue.SetByCommonOptions',
  summary: 'Sets the options that almost every network has.',
  examples: [
    'twinlease option set --scope-id 10.0.1.0 --router 10.0.1.1 --dns-server 10.0.0.53 --dns-domain example.com',
  ],
  params: z.strictObject({
    ...params.common,
    PolicyName: params.optionalText,
    PassThru: params.passThru,
    Force: params.force,
    DnsDomain: params.optionalText,
    DnsServer: params.texts.nullish(),
    ReservedIP: params.optionalText,
    Router: params.texts.nullish(),
    ScopeId: params.optionalText,
    UserClass: params.optionalText,
    WinsServer: params.texts.nullish(),
    Wpad: params.optionalText,
  }),
  result: z.array(optionSchema).nullable(),
  changes: true,
  run: async (context, given) => {
    const wanted: Wanted[] = [];
    for (const [parameter, code] of Object.entries(COMMON_OPTIONS)) {
      const value = given[parameter as keyof typeof COMMON_OPTIONS];
      if (value != null) wanted.push({ code, texts: typeof value === 'string' ? [value] : value, parameter });
    }
    if (wanted.length === 0) return failed(invalid('DnsServer', 'no option is given'));
    const outcome = await set(context, { ...given, VendorClass: undefined }, wanted);
    if (outcome.kind === 'failed' || 'whatIf' in outcome.value) return outcome as Outcome<WhatIfReport>;
    return succeeded(given.PassThru === true ? outcome.value.set : null);
  },
});

export const removeOption = defineOperation({
  name: 'option.remove',
  windows: 'PS_DhcpServerv4OptionValue.Remove',
  summary: 'Removes values of options.',
  examples: ['twinlease option remove --scope-id 10.0.1.0 --option-id 3'],
  params: z.strictObject({ ...params.common, ...level, OptionId: z.array(optionId), PassThru: params.passThru }),
  result: z.array(optionSchema).nullable(),
  changes: true,
  run: async (context, given) => {
    const { control } = context;
    const codes = [...new Set(given.OptionId)];
    if (codes.length === 0) return failed(invalid('OptionId', 'no option is given'));
    let gone: OptionObject[] = [];
    let errors: Problem[] = [];
    const outcome = await changeLocally(context, `options ${codes.join(', ')} removed`, (config) => {
      const place = placeOf(control, config, given);
      if (place.kind === 'bad') return { kind: 'bad', problems: [place.problem] };
      const leaving = place.options.filter((option) => codes.includes(option.code) && isOfClass(option, given));
      errors = codes
        .filter((code) => !leaving.some((option) => option.code === code))
        .map((code) => problem(control, 'option/unknown', { optionId: code }, String(code)));
      if (leaving.length === 0) return { kind: 'bad', problems: errors };
      gone = leaving.map((option) => optionObject(config, option));
      return { kind: 'ok', config: place.put(place.options.filter((option) => !leaving.includes(option))) };
    });
    if (outcome.kind === 'failed') return outcome;
    if (outcome.kind === 'what-if') return succeeded({ whatIf: outcome.lines }, [], errors);
    return succeeded(given.PassThru === true ? gone : null, [], errors);
  },
});

interface Wanted {
  readonly code: number;
  readonly texts: readonly string[];
  readonly parameter: string;
}

async function set(
  context: OperationContext,
  given: Level,
  wanted: readonly Wanted[],
): Promise<Outcome<{ readonly set: OptionObject[] } | WhatIfReport>> {
  const { control } = context;
  let made: OptionValue[] = [];
  const what = `options ${wanted.map((one) => one.code).join(', ')} set`;
  const outcome = await changeLocally(context, what, (config) => {
    const place = placeOf(control, config, given);
    if (place.kind === 'bad') return { kind: 'bad', problems: [place.problem] };
    made = [];
    for (const one of wanted) {
      const read = readValue(control, config, given, one);
      if (read.kind === 'bad') return { kind: 'bad', problems: [read.problem] };
      made.push(read.value);
    }
    const kept = place.options.filter(
      (option) => !made.some((one) => one.code === option.code && isOfClass(option, given)),
    );
    return { kind: 'ok', config: place.put([...kept, ...made]) };
  });
  if (outcome.kind === 'failed') return outcome;
  if (outcome.kind === 'what-if') return succeeded({ whatIf: outcome.lines });
  return succeeded({ set: made.map((option) => optionObject(outcome.config, option)) });
}

type ReadValue =
  | { readonly kind: 'ok'; readonly value: OptionValue }
  | { readonly kind: 'bad'; readonly problem: Problem };

function readValue(control: Control, config: Config, given: Level, wanted: Wanted): ReadValue {
  const classes = classesOf(given);
  const definition = ownDefinition(config, wanted.code, classes.vendorClass);
  if (definition === undefined && (optionRow(wanted.code) === undefined || classes.vendorClass !== undefined)) {
    return { kind: 'bad', problem: problem(control, 'option/unknown', { optionId: wanted.code }, String(wanted.code)) };
  }
  if (wanted.texts.length === 0) return { kind: 'bad', problem: invalid(wanted.parameter, 'no value is given') };
  const read = optionFromText(wanted.code, wanted.texts, definition?.type);
  if (read.kind === 'bad')
    return { kind: 'bad', problem: invalid(wanted.parameter, `value ${read.at + 1}: ${read.why}`) };
  return { kind: 'ok', value: { code: wanted.code, hex: toHex(read.value), ...classes } };
}

type Place =
  | {
      readonly kind: 'ok';
      readonly options: readonly OptionValue[];
      readonly put: (options: readonly OptionValue[]) => Config;
    }
  | { readonly kind: 'bad'; readonly problem: Problem };

/** The list of options that the level names, and how to put another in its place. */
function placeOf(control: Control, config: Config, given: Level): Place {
  if (given.PolicyName != null && given.PolicyName !== '') {
    return {
      kind: 'bad',
      problem: problem(control, 'request/not-found', { object: `policy ${given.PolicyName}` }, 'PolicyName'),
    };
  }
  if (given.ReservedIP != null && given.ReservedIP !== '') {
    const address = given.ReservedIP;
    const scope = config.scopes.find((one) => one.reservations.some((reservation) => reservation.address === address));
    const reservation = scope?.reservations.find((one) => one.address === address);
    if (scope === undefined || reservation === undefined) {
      return { kind: 'bad', problem: problem(control, 'reservation/unknown', { object: address }, address) };
    }
    const put = (options: readonly OptionValue[]): Config => {
      const reservations = scope.reservations.map((one) => (one === reservation ? { ...one, options } : one));
      return replaceScope(config, { ...scope, reservations });
    };
    return { kind: 'ok', options: reservation.options, put };
  }
  if (given.ScopeId != null && given.ScopeId !== '') {
    const ids = readScopeIds([given.ScopeId]);
    if (ids.kind === 'bad') return ids;
    const scopeId = ids.scopeIds[0] ?? given.ScopeId;
    const scope = scopeOf(config, scopeId);
    if (scope === undefined) return { kind: 'bad', problem: problem(control, 'scope/unknown', { scopeId }, scopeId) };
    return { kind: 'ok', options: scope.options, put: (options) => replaceScope(config, { ...scope, options }) };
  }
  return {
    kind: 'ok',
    options: config.server.options,
    put: (options) => ({ ...config, server: { ...config.server, options } }),
  };
}

function classesOf(given: Level): { vendorClass?: string; userClass?: string } {
  return {
    ...(given.VendorClass == null || given.VendorClass === '' ? {} : { vendorClass: given.VendorClass }),
    ...(given.UserClass == null || given.UserClass === '' ? {} : { userClass: given.UserClass }),
  };
}

function isOfClass(option: OptionValue, given: Level): boolean {
  const { vendorClass, userClass } = classesOf(given);
  return option.vendorClass === vendorClass && option.userClass === userClass;
}

export function ownDefinition(
  config: Config,
  code: number,
  vendorClass: string | undefined,
): OptionDefinition | undefined {
  return config.optionDefinitions.find((one) => one.code === code && one.vendorClass === vendorClass);
}

function optionObject(config: Config, option: OptionValue): OptionObject {
  const definition = ownDefinition(config, option.code, option.vendorClass);
  const type = definition?.type ?? standardDefinitionOf(option.code)?.type ?? 'binary';
  return {
    OptionId: option.code,
    Type: WINDOWS_TYPES[type],
    UserClass: option.userClass ?? '',
    VendorClass: option.vendorClass ?? '',
    Value: optionToText(option.code, fromHex(option.hex) ?? new Uint8Array(), definition?.type),
    Name: definition?.name ?? optionName(option.code),
    PolicyName: null,
  };
}
