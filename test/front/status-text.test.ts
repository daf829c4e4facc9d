/**
 * The printed text of `failover status` in the situations that operators meet, as a whole: `test/front/status-text.txt` has it, and
 * `STATUS_REWRITE=1` records it anew, to be reviewed like code.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { STATUS_VIEW } from '../../src/front/cli/failover-views.ts';
import { STATE_NAMES } from '../../src/manage/failover-object.ts';
import { type StandingFacts, standingWords } from '../../src/manage/failover-words.ts';
import { STANDING_AT as NOW, SOUND } from '../support/sound-standing.ts';

const PATH = join(process.cwd(), 'test', 'front', 'status-text.txt');

const ALONE = { state: 'communications-interrupted', isCommunicating: false } as const;
const DOWN = {
  state: 'partner-down',
  isCommunicating: false,
  partnerState: 'communications-interrupted',
  partnerDownAt: NOW - 1000,
  partnersUsableAt: NOW + 2605,
} as const;

const SITUATIONS: readonly (readonly [title: string, change: Partial<StandingFacts>])[] = [
  ['all is well', {}],
  [
    'all is well, hot standby, this server the standby',
    { mode: 'HotStandby', isActive: false, sharePercent: 5, autoPartnerDownSec: 3600 },
  ],
  ['no contact, nothing automatic', ALONE],
  [
    'no contact, automatic partner-down',
    { ...ALONE, autoPartnerDownAt: NOW + 600, autoPartnerDownSec: 900, newClients: 0 },
  ],
  ['the partner is paused', { ...ALONE, partnerState: 'paused' }],
  ['partner down, within MCLT', { ...DOWN, heldByPartner: { count: 37, untilAt: NOW + 40_000 } }],
  ['partner down, after MCLT', { ...DOWN, partnerDownAt: NOW - 9000, partnersUsableAt: NOW - 5395 }],
  ['the partner was stopped in order', { ...DOWN, partnerState: 'shutdown' }],
  ['the partner comes back and fetches leases', { ...DOWN, isCommunicating: true, partnerState: 'recover' }],
  ['the store was lost', { state: 'recover', partnerState: 'partner-down', fetching: 'everything' }],
  ['the wait after that', { state: 'recover-wait', partnerState: 'partner-down', recoverWaitUntilAt: NOW + 1800 }],
  ['recovered', { state: 'recover-done', partnerState: 'partner-down' }],
  ['both had been partner-down', { state: 'potential-conflict', partnerState: 'potential-conflict' }],
  ['the primary is through', { state: 'conflict-done', partnerState: 'potential-conflict' }],
  [
    'cut off in the middle of it',
    { state: 'resolution-interrupted', isCommunicating: false, partnerState: 'potential-conflict' },
  ],
  ['just started', { state: 'startup', isCommunicating: false }],
  ['a scope was added', { silentScopes: ['10.0.9.0'], fetching: 'scopes' }],
  [
    'dhcpd recovers',
    { ...DOWN, foreign: 'isc', isCommunicating: true, partnerState: 'recover-wait', allowanceSec: 60 },
  ],
  ['dhcpd after a conflict', { foreign: 'isc', state: 'conflict-done', partnerState: 'potential-conflict' }],
  ['Windows', { foreign: 'msft' }],
];

function printed(change: Partial<StandingFacts>): string {
  const facts = { ...SOUND, ...change };
  const status = {
    ...standingWords(facts),
    name: facts.name,
    mode: facts.mode,
    partnerServer: facts.partner,
    serverType: 'PrimaryServer',
    state: STATE_NAMES[facts.state],
    stateSince: NOW - 1000,
    partnerState: facts.partnerState === undefined ? 'NoState' : STATE_NAMES[facts.partnerState],
    partnerStateSince: NOW - 2000,
    isConnected: facts.isCommunicating,
    isCommunicating: facts.isCommunicating,
    clockSkew: 0,
    clockAllowance: facts.allowanceSec,
    updatesWaiting: facts.isCommunicating ? 0 : 9,
    freeHere: facts.freeHere,
    freeAtPartner: facts.freeAtPartner,
    inUse: 750,
  };
  return STATUS_VIEW([status], { width: 100 }).join('\n');
}

test('the printed status of each situation is as recorded', () => {
  const text = `${SITUATIONS.map(([title, change]) => `## ${title}\n\n${printed(change)}`).join('\n\n')}\n`;
  if (process.env['STATUS_REWRITE'] === '1') writeFileSync(PATH, text);
  assert.equal(readFileSync(PATH, 'utf8'), text);
});
