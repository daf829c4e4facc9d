/** Names and time spans of the command line. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { parametersOf } from '../../src/front/cli/parameters.ts';
import { durationText, kebab, readDuration } from '../../src/front/cli/spelling.ts';
import { OPERATIONS } from '../../src/manage/registry.ts';

test('parameter names become kebab case with acronyms kept whole', () => {
  const names: readonly (readonly [string, string])[] = [
    ['MaxClientLeadTime', 'max-client-lead-time'],
    ['ScopeId', 'scope-id'],
    ['IPAddress', 'ip-address'],
    ['ReservedIP', 'reserved-ip'],
    ['DnsRR', 'dns-rr'],
    ['PassThru', 'pass-thru'],
    ['Name', 'name'],
  ];
  for (const [name, option] of names) assert.equal(kebab(name), option);
});

test('no two parameters of an operation share an option', () => {
  for (const operation of OPERATIONS) {
    const options = parametersOf(operation).map((parameter) => parameter.option);
    assert.equal(new Set(options).size, options.length, operation.name);
  }
});

test('time spans are read in every form that the manual names', () => {
  const spans: readonly (readonly [string, number])[] = [
    ['0', 0],
    ['3600', 3600],
    ['90s', 90],
    ['1h', 3600],
    ['1h30m', 5400],
    ['8d', 691_200],
    ['2w', 1_209_600],
    ['01:00', 3600],
    ['01:00:00', 3600],
    ['00:00:05', 5],
    ['8.00:00:00', 691_200],
    ['1.02:03:04', 93_784],
    ['infinite', 0xffffffff],
    [' 1H ', 3600],
    ['4294967295', 0xffffffff],
  ];
  for (const [text, value] of spans) assert.deepEqual(readDuration(text), { kind: 'ok', value }, text);
});

test('what is no time span is refused with a reason', () => {
  for (const text of [
    '',
    'h',
    '1x',
    '1h 30m',
    '-1',
    '1.5h',
    '24:00:00',
    '01:60:00',
    '01:00:60',
    '4294967296',
    '99999d',
    '1:2:3',
    'x'.repeat(1000),
  ]) {
    const read = readDuration(text);
    assert.equal(read.kind, 'bad', text);
    assert.ok(read.kind === 'bad' && read.why.length > 0);
  }
});

test('a time span that is shown is read back as the same', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xffffffff }), (seconds) => {
      assert.deepEqual(readDuration(durationText(seconds)), { kind: 'ok', value: seconds });
    }),
  );
});

test('reading a time span never throws', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const read = readDuration(text);
      assert.ok(read.kind === 'bad' || (read.value >= 0 && read.value <= 0xffffffff));
    }),
  );
});
