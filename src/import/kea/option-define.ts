/** Options that a configuration defines itself (ARM, "Custom DHCPv4 Options"). */
import type { OptionDefinition } from '../../core/config/model.ts';
import type { Context } from './context.ts';
import { booleanIn, type Fields, numberIn, objectsIn, textIn } from './fields.ts';
import {
  type Definitions,
  DHCP4_SPACE,
  KEA_TYPES,
  type KeaDefinition,
  type KeaType,
  ownType,
} from './option-definitions.ts';
import { COMMENT } from './option-levels.ts';

/** Adds the definitions of `fields`; `own` gets those that become definitions of ours. */
export function defineOptions(
  context: Context,
  fields: Fields,
  definitions: Definitions,
  own: OptionDefinition[] | undefined,
): void {
  const { report } = context;
  report.carried(fields.get('option-def'), 'the definitions of options');
  for (const one of objectsIn(fields.get('option-def'))) {
    const definition = readDefinition(one);
    if (definition === undefined) {
      noteAll(context, one, 'not-carried', 'the definition is not understood');
      continue;
    }
    definitions.add(definition);
    if (own === undefined || definition.space !== DHCP4_SPACE) {
      noteAll(context, one, 'changed', 'used to read the values; the definition itself is not kept');
      continue;
    }
    const { type, isArray, isExact } = ownType(definition);
    if (own.some(({ code }) => code === definition.code)) {
      noteAll(context, one, 'not-carried', `option ${definition.code} is defined twice`);
      continue;
    }
    own.push({ code: definition.code, name: definition.name.slice(0, 255), type, isArray });
    const outcome = `option ${definition.code} is defined as ${type}${isArray ? ', repeated' : ''}`;
    noteAll(context, one, isExact ? 'carried' : 'changed', isExact ? outcome : `${outcome}; its octets stay the same`);
  }
}

function readDefinition(fields: Fields): KeaDefinition | undefined {
  const code = numberIn(fields, 'code');
  const name = textIn(fields, 'name');
  const type = keaType(textIn(fields, 'type'));
  if (code === undefined || code < 1 || code > 254 || name === undefined || name === '' || type === undefined)
    return undefined;
  const fieldTypes =
    type === 'record' ? (textIn(fields, 'record-types') ?? '').split(',').map((text) => keaType(text.trim())) : [type];
  if (fieldTypes.some((one) => one === undefined || one === 'record')) return undefined;
  return {
    code,
    name,
    space: textIn(fields, 'space') ?? DHCP4_SPACE,
    fields: fieldTypes as KeaType[],
    isArray: booleanIn(fields, 'array') ?? false,
    encapsulates: textIn(fields, 'encapsulate') ?? '',
  };
}

function keaType(text: string | undefined): KeaType | undefined {
  return KEA_TYPES.find((type) => type === text);
}

function noteAll(
  { report }: Context,
  fields: Fields,
  carried: 'carried' | 'changed' | 'not-carried',
  outcome: string,
): void {
  for (const [key, member] of fields) {
    if (key === 'user-context' || key === 'comment') report.whole(member, COMMENT);
    else report.note(member, carried, outcome);
  }
}
