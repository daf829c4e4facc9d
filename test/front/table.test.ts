/** The table printer, whose cells come from clients and partners. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { listLines, shown, tableLines } from '../../src/front/cli/table.ts';

const COLUMNS = [{ title: 'NAME' }, { title: 'COUNT', isNumber: true }, { title: 'NOTE' }];

test('columns are as wide as their widest cell, numbers to the right', () => {
  const lines = tableLines(
    COLUMNS,
    [
      ['a', '7', 'first'],
      ['longer', '1234567', ''],
    ],
    undefined,
  );
  assert.deepEqual(lines, ['NAME      COUNT  NOTE', 'a             7  first', 'longer  1234567']);
});

test('on a terminal no line is wider than it, and a cut is marked', () => {
  const lines = tableLines(COLUMNS, [['a', '7', 'x'.repeat(100)]], 30);
  assert.equal([...(lines[1] ?? '')].length, 30);
  assert.ok(lines[1]?.endsWith('…'));
});

test('into a pipe everything is written whole', () => {
  assert.ok(tableLines(COLUMNS, [['a', '7', 'x'.repeat(1000)]], undefined)[1]?.endsWith('x'.repeat(1000)));
});

test('a table has room for all leases of a large scope', () => {
  const rows = Array.from({ length: 300_000 }, (_, index) => [`10.0.0.${index}`, '1', '']);
  assert.equal(tableLines(COLUMNS, rows, undefined).length, rows.length + 1);
});

test('a host name cannot send commands to the terminal', () => {
  assert.equal(shown('pc\u001b[2J\u0007'), 'pc\\u{001b}[2J\\u{0007}');
  assert.equal(shown('a\u202eb'), 'a\\u{202e}b');
  fc.assert(
    fc.property(fc.array(fc.array(fc.string({ unit: 'binary' }), { minLength: 3, maxLength: 3 })), (rows) => {
      for (const line of tableLines(COLUMNS, rows, 80)) assert.doesNotMatch(line, /\p{Cc}/u);
    }),
  );
});

test('names and values stand below each other', () => {
  assert.deepEqual(
    listLines([
      ['state', 'Normal'],
      ['partner', 'b\n'],
    ]),
    ['state   : Normal', 'partner : b\\u{000a}'],
  );
});
