/**
 * Client classes: the options of a class go to clients by their vendor or user class where its test says no more than that (`class-
 * tests.ts`). They have the rank that Kea gives them: above those of the server, below those of the network.
 */
import type { OptionValue } from '../../core/config/model.ts';
import { type ClassTest, readClassTest } from './class-tests.ts';
import type { Context } from './context.ts';
import { booleanIn, type Fields, objectsIn, textIn } from './fields.ts';
import { defineOptions } from './option-define.ts';
import { Definitions } from './option-definitions.ts';
import { COMMENT, levelValues } from './option-levels.ts';

const ADVICE = 'Give the clients reservations, or a scope of their own, with these options.';
/** Kea makes this class of every client's option 60 by itself. */
const VENDOR_CLASS = /^VENDOR_CLASS_(.{1,255})$/s;

/** Values of the server for the clients of classes. */
export function classValues(context: Context): OptionValue[] {
  const { report, global } = context;
  const member = global.get('client-classes');
  report.carried(member, 'the classes of clients');
  const values: OptionValue[] = [];
  const keys = new Set<string>();
  for (const fields of objectsIn(member)) {
    for (const value of valuesOf(context, fields)) {
      const key = JSON.stringify([value.code, value.vendorClass ?? null, value.userClass ?? null]);
      // The first class that a client is in wins.
      if (!keys.has(key)) values.push(value);
      keys.add(key);
    }
  }
  return values;
}

function valuesOf(context: Context, fields: Fields): OptionValue[] {
  const { report } = context;
  const name = textIn(fields, 'name') ?? '';
  report.whole(fields.get('user-context'), COMMENT);
  report.whole(fields.get('comment'), COMMENT);
  const test = testOf(fields, name);
  if (typeof test === 'string') {
    for (const member of fields.values()) if (!report.has(member)) report.wholeNotCarried(member, test);
    report.notCarried(fields.get('name'), test, ADVICE);
    return [];
  }
  const definitions = new Definitions(context.definitions);
  defineOptions(context, fields, definitions, undefined);
  const plain = levelValues(context, fields, `class ${name}`, definitions);
  const outcome = `options for clients with ${conditionText(test)}`;
  for (const key of ['name', 'test'])
    report.note(
      fields.get(key),
      test.isExact ? 'carried' : 'changed',
      test.isExact ? outcome : `${outcome}; Kea compares the whole option`,
    );
  report.carried(fields.get('only-if-required'), 'it is off');
  for (const [key, member] of fields)
    if (/valid-lifetime$/.test(key))
      report.notCarried(member, 'a lease time belongs to a scope or a reservation', ADVICE);
  return test.conditions.flatMap((condition) => [...plain].map(([code, hex]) => ({ code, hex, ...condition })));
}

function testOf(fields: Fields, name: string): ClassTest | string {
  if (booleanIn(fields, 'only-if-required') === true) return 'the class is only looked at where a network requires it';
  const text = textIn(fields, 'test');
  if (text !== undefined && text !== '')
    return readClassTest(text) ?? 'the test has no equivalent: only options 60 and 77 are compared here';
  const vendorClass = VENDOR_CLASS.exec(name)?.[1];
  if (vendorClass !== undefined) return { conditions: [{ vendorClass }], isExact: false };
  return 'the class has no test: clients come into it in ways that have no equivalent';
}

function conditionText({ conditions }: ClassTest): string {
  return conditions
    .map(({ vendorClass, userClass }) =>
      [
        ...(vendorClass === undefined ? [] : [`vendor class "${vendorClass}" at the beginning`]),
        ...(userClass === undefined ? [] : [`user class "${userClass}"`]),
      ].join(' and '),
    )
    .join(' or ');
}
