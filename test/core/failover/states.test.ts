/** The transition table, cell by cell, against the text of the specification. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AFTER_CONTACT_LOST,
  type KeptState,
  type PartnerState,
  SERVICE,
  TRANSITIONS,
} from '../../../src/core/failover/states.ts';
import { PARTNER_STATES } from '../../clauses/parties.ts';

const COLUMNS: readonly PartnerState[] = PARTNER_STATES;

/** Specification 4.4 as printed: the next state (= stays) and the letter of the action. */
const PRINTED: Readonly<Record<KeptState, string>> = {
  recover: '= a | = a | = a | PC b | PC b | PC b | = a | = a | = a | = | =',
  'recover-wait': '= | = | = | = | = | = | = | = | = | = | =',
  'recover-done': 'NORMAL c | = | = | PC b | = | = | = | = | NORMAL c | = | =',
  normal: '= | NORMAL d | PC b | PC b | PC b | PC b | COMM-INT | COMM-INT | NORMAL d | COMM-INT e | PD f',
  'communications-interrupted': 'NORMAL c | NORMAL c | PC b | PC b | PC b | PC b | = | = | NORMAL c | = | PD f',
  'partner-down': 'PC b | PC b | PC b | PC b | PC b | PC b | = | = | NORMAL c | = | =',
  'potential-conflict': '= | = | = | = | = | = g | = | = | = | = | =',
  'resolution-interrupted': 'PC b | PC b | PC b | PC b | PC b | PC b | PC b | PC b | PC b | PC b | PC b',
  'conflict-done': 'NORMAL c | = | = | = | = | = | = | = | = | = | =',
};
const NEXT: Readonly<Record<string, KeptState | undefined>> = {
  '=': undefined,
  NORMAL: 'normal',
  'COMM-INT': 'communications-interrupted',
  PD: 'partner-down',
  PC: 'potential-conflict',
};
/** e (start the safe period) and f (at once) are in entering the states themselves. */
const ACTION: Readonly<Record<string, string | undefined>> = {
  a: 'ask-for-updates',
  b: 'enter-conflict',
  c: 'enter-normal',
  d: 'enter-normal',
  g: 'secondary-asks',
};

for (const [mine, line] of Object.entries(PRINTED) as [KeptState, string][]) {
  test(`4.4 row ${mine}`, () => {
    const cells = line.split(' | ');
    assert.equal(cells.length, COLUMNS.length);
    for (const [i, cell] of cells.entries()) {
      const [next, letter] = cell.split(' ');
      const transition = TRANSITIONS[mine][COLUMNS[i]!];
      assert.equal(transition.next, NEXT[next!], `${mine} x ${COLUMNS[i]}`);
      assert.equal(transition.action, letter === undefined ? undefined : ACTION[letter], `${mine} x ${COLUMNS[i]}`);
    }
  });
}

test('4.4 comm lost: NORMAL and POTENTIAL-CONFLICT change, all others stay', () => {
  assert.deepEqual(AFTER_CONTACT_LOST, {
    normal: 'communications-interrupted',
    'potential-conflict': 'resolution-interrupted',
  });
});

test('4.1 service by state', () => {
  const all = ['normal', 'communications-interrupted', 'partner-down', 'resolution-interrupted', 'conflict-done'];
  for (const [state, serves] of Object.entries(SERVICE))
    assert.equal(serves, all.includes(state) ? 'all' : state === 'recover-done' ? 'renew' : 'none', state);
});
