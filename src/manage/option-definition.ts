/**
 * Definitions of options: PS_DhcpServerv4OptionDefinition (management specification 2). The registered options have theirs built
 * in; an operator's own may add options and give vendors their spaces.
 */
import { z } from 'zod';
import type { Config, OptionDefinition } from '../core/config/model.ts';
import type { Problem } from '../core/problems/problem.ts';
import { DHCP_OPTIONS, type OptionDefinitionType, standardDefinitionOf } from '../wire/dhcp/options.ts';
import { defineOperation } from './define.ts';
import { changeLocally } from './local-change.ts';
import { failed, succeeded } from './operation.ts';
import { ownDefinition, WINDOWS_TYPES } from './option.ts';
import * as params from './params.ts';
import { invalid, listed, problem } from './problems.ts';

const definitionSchema = z.object({
  OptionId: z.int(),
  Name: z.string(),
  Description: z.string(),
  VendorClass: z.string(),
  MultiValued: z.boolean(),
  Type: z.string(),
  DefaultValue: z.array(z.string()).nullable(),
});
type DefinitionObject = z.infer<typeof definitionSchema>;

const optionId = z.int().min(1).max(254);

export const addOptionDefinition = defineOperation({
  name: 'option-definition.add',
  windows: 'PS_DhcpServerv4OptionDefinition.Add',
  summary: 'Defines an option: its name and the type of its values.',
  examples: ['twinlease option-definition add --option-id 224 --name site-code --type DWord'],
  params: z.strictObject({
    ...params.common,
    Name: params.text,
    Description: params.optionalText,
    OptionId: optionId,
    Type: z.string().describe(Object.values(WINDOWS_TYPES).join(', ')),
    MultiValued: params.flag,
    VendorClass: params.optionalText,
    DefaultValue: params.texts.nullish().describe('Not kept: values are set where they hold.'),
    PassThru: params.passThru,
  }),
  result: definitionSchema.nullable(),
  changes: true,
  run: async (context, given) => {
    const { control } = context;
    const type = typeNamed(given.Type);
    if (type === undefined) return failed(invalid('Type', `it is none of ${Object.values(WINDOWS_TYPES).join(', ')}`));
    if (given.DefaultValue != null && given.DefaultValue.length > 0)
      return failed(invalid('DefaultValue', 'defaults are not kept'));
    const vendorClass = classOf(given.VendorClass);
    const definition: OptionDefinition = {
      code: given.OptionId,
      name: given.Name,
      type,
      isArray: given.MultiValued === true,
      ...(given.Description == null ? {} : { description: given.Description }),
      ...(vendorClass === undefined ? {} : { vendorClass }),
    };
    const outcome = await changeLocally(context, `option ${given.OptionId} defined`, (config) => {
      if (ownDefinition(config, given.OptionId, vendorClass) !== undefined) {
        return {
          kind: 'bad',
          problems: [problem(control, 'option/exists', { optionId: given.OptionId }, String(given.OptionId))],
        };
      }
      return { kind: 'ok', config: { ...config, optionDefinitions: [...config.optionDefinitions, definition] } };
    });
    if (outcome.kind === 'failed') return outcome;
    if (outcome.kind === 'what-if') return succeeded({ whatIf: outcome.lines });
    return succeeded(given.PassThru === true ? definitionObject(definition) : null);
  },
});

export const getOptionDefinition = defineOperation({
  name: 'option-definition.get',
  windows: 'PS_DhcpServerv4OptionDefinition.Get',
  summary: 'Shows what options there are and of what type they are.',
  examples: ['twinlease option-definition get', 'twinlease option-definition get --option-id 3'],
  params: z.strictObject({
    ...params.common,
    OptionId: z.array(optionId).nullish(),
    VendorClass: params.optionalText,
    All: params.flag.describe('Of every vendor class.'),
  }),
  result: z.array(definitionSchema),
  changes: false,
  run: async ({ control }, given) => {
    const { config } = control.revision();
    const vendorClass = classOf(given.VendorClass);
    const own = config.optionDefinitions.filter((one) => given.All === true || one.vendorClass === vendorClass);
    const standard = vendorClass === undefined ? standardDefinitions(own) : [];
    const all = [...own.map(definitionObject), ...standard].sort((a, b) => a.OptionId - b.OptionId);
    const wanted = given.OptionId ?? [];
    const errors: Problem[] = wanted
      .filter((code) => !all.some((one) => one.OptionId === code))
      .map((code) => problem(control, 'option/unknown', { optionId: code }, String(code)));
    return listed(wanted.length === 0 ? all : all.filter((one) => wanted.includes(one.OptionId)), errors);
  },
});

export const setOptionDefinition = defineOperation({
  name: 'option-definition.set',
  windows: 'PS_DhcpServerv4OptionDefinition.Set',
  summary: 'Changes the name or the description of an own definition.',
  examples: ['twinlease option-definition set --option-id 224 --name site-number'],
  params: z.strictObject({
    ...params.common,
    OptionId: optionId,
    Name: params.optionalText,
    Description: params.optionalText,
    VendorClass: params.optionalText,
    DefaultValue: params.texts.nullish(),
    PassThru: params.passThru,
  }),
  result: definitionSchema.nullable(),
  changes: true,
  run: async (context, given) => {
    const { control } = context;
    if (given.DefaultValue != null && given.DefaultValue.length > 0)
      return failed(invalid('DefaultValue', 'defaults are not kept'));
    const vendorClass = classOf(given.VendorClass);
    const outcome = await changeLocally(context, `definition of option ${given.OptionId} changed`, (config) => {
      const present = ownDefinition(config, given.OptionId, vendorClass);
      if (present === undefined) {
        return {
          kind: 'bad',
          problems: [problem(control, 'option/unknown', { optionId: given.OptionId }, String(given.OptionId))],
        };
      }
      const changed: OptionDefinition = {
        ...present,
        name: given.Name ?? present.name,
        ...(given.Description == null ? {} : { description: given.Description }),
      };
      const optionDefinitions = config.optionDefinitions.map((one) => (one === present ? changed : one));
      return { kind: 'ok', config: { ...config, optionDefinitions } };
    });
    if (outcome.kind === 'failed') return outcome;
    if (outcome.kind === 'what-if') return succeeded({ whatIf: outcome.lines });
    const now = ownDefinition(outcome.config, given.OptionId, vendorClass);
    return succeeded(given.PassThru === true && now !== undefined ? definitionObject(now) : null);
  },
});

export const removeOptionDefinition = defineOperation({
  name: 'option-definition.remove',
  windows: 'PS_DhcpServerv4OptionDefinition.Remove',
  summary: 'Removes own definitions; values that used them are sent as binary data from then on.',
  examples: ['twinlease option-definition remove --option-id 224'],
  params: z.strictObject({
    ...params.common,
    OptionId: z.array(optionId),
    VendorClass: params.optionalText,
    PassThru: params.passThru,
  }),
  result: z.array(definitionSchema).nullable(),
  changes: true,
  run: async (context, given) => {
    const { control } = context;
    const vendorClass = classOf(given.VendorClass);
    let gone: DefinitionObject[] = [];
    let errors: Problem[] = [];
    const outcome = await changeLocally(
      context,
      `definitions of options ${given.OptionId.join(', ')} removed`,
      (config) => {
        const leaving = given.OptionId.map((code) => ownDefinition(config, code, vendorClass)).filter(
          (one) => one !== undefined,
        );
        errors = given.OptionId.filter((code) => ownDefinition(config, code, vendorClass) === undefined).map((code) =>
          problem(control, 'option/unknown', { optionId: code }, String(code)),
        );
        if (leaving.length === 0) return { kind: 'bad', problems: errors };
        gone = leaving.map(definitionObject);
        return { kind: 'ok', config: withoutDefinitions(config, leaving) };
      },
    );
    if (outcome.kind === 'failed') return outcome;
    if (outcome.kind === 'what-if') return succeeded({ whatIf: outcome.lines }, [], errors);
    return succeeded(given.PassThru === true ? gone : null, [], errors);
  },
});

function withoutDefinitions(config: Config, leaving: readonly OptionDefinition[]): Config {
  return { ...config, optionDefinitions: config.optionDefinitions.filter((one) => !leaving.includes(one)) };
}

function typeNamed(text: string): OptionDefinitionType | undefined {
  const found = Object.entries(WINDOWS_TYPES).find(([, name]) => name.toLowerCase() === text.toLowerCase());
  return found?.[0] as OptionDefinitionType | undefined;
}

function classOf(text: string | null | undefined): string | undefined {
  return text == null || text === '' ? undefined : text;
}

/** The built-in ones that no own definition replaces. */
function standardDefinitions(own: readonly OptionDefinition[]): DefinitionObject[] {
  const replaced = new Set(own.filter((one) => one.vendorClass === undefined).map((one) => one.code));
  const found: DefinitionObject[] = [];
  for (const [text, row] of Object.entries(DHCP_OPTIONS)) {
    const code = Number(text);
    const standard = standardDefinitionOf(code);
    if (standard === undefined || replaced.has(code)) continue;
    found.push(definitionObject({ code, name: row.name, ...standard }));
  }
  return found;
}

function definitionObject(definition: OptionDefinition): DefinitionObject {
  return {
    OptionId: definition.code,
    Name: definition.name,
    Description: definition.description ?? '',
    VendorClass: definition.vendorClass ?? '',
    MultiValued: definition.isArray,
    Type: WINDOWS_TYPES[definition.type],
    DefaultValue: null,
  };
}
