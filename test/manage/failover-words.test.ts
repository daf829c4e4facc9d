/** The plain words of `failover status`: every state of both servers has its own, and they say what the facts say. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ForeignKind } from '../../src/core/config/model.ts';
import {
  clockText,
  type StandingFacts,
  type StandingWords,
  spanText,
  standingWords,
} from '../../src/manage/failover-words.ts';
import { SERVER_STATES, type ServerState } from '../../src/wire/failover/messages.ts';
import { STANDING_AT as NOW, SOUND } from '../support/sound-standing.ts';

const STATES = Object.keys(SERVER_STATES) as ServerState[];
const MAKES: readonly (ForeignKind | undefined)[] = [undefined, 'isc', 'msft', 'draft'];
const SERVING: readonly ServerState[] = [
  'normal',
  'communications-interrupted',
  'partner-down',
  'resolution-interrupted',
  'conflict-done',
];

const FACTS: StandingFacts = { ...SOUND, sharePercent: 70 };

function words(change: Partial<StandingFacts>): StandingWords {
  return standingWords({ ...FACTS, ...change });
}

test('every state of this server has a meaning of its own, and says what comes next and what to do', () => {
  const meanings = new Set<string>();
  for (const state of STATES) {
    const said = words({ state });
    meanings.add(said.meaning);
    for (const text of [said.meaning, said.partnerMeaning, said.answers, said.next, said.toDo])
      assert.match(text, /^[A-Z`d].*[.`]$/, `${state}: ${text}`);
  }
  assert.equal(meanings.size, STATES.length);
});

test('every state of the partner has a meaning of its own, present while it is heard and past when it is not', () => {
  const meanings = new Set<string>();
  for (const partnerState of STATES)
    for (const isCommunicating of [true, false]) {
      const { partnerMeaning } = words({ partnerState, isCommunicating });
      meanings.add(partnerMeaning);
      assert.equal(partnerMeaning.startsWith('When last heard of'), !isCommunicating, partnerMeaning);
    }
  assert.equal(meanings.size, STATES.length * 2);
  assert.equal(words({ partnerState: undefined }).partnerMeaning, 'Nothing was heard of dhcp2 yet.');
});

test('who answers: over all states of both servers, all makes, with contact and without', () => {
  for (const state of STATES)
    for (const partnerState of [...STATES, undefined])
      for (const foreign of MAKES)
        for (const isCommunicating of [true, false]) {
          const { answers } = words({
            state,
            partnerState,
            foreign,
            isCommunicating,
            partnerDownAt: NOW - 10,
            partnersUsableAt: NOW + 10,
          });
          const label = `${state} ${partnerState} ${foreign} ${isCommunicating}: ${answers}`;
          assert.equal(
            /This server answers nobody/.test(answers),
            !SERVING.includes(state) && state !== 'recover-done',
            label,
          );
          assert.equal(/undefined|null|NaN/.test(answers), false, label);
          // It may be split, silent, unknown, serving as well, or must not serve; one of these is always said.
          assert.match(answers, /new clients|silent|not known|as well|too|renews|could go to two|all free/, label);
        }
});

test('dhcpd is silent in all but three states, and whatever its state while ours tells it so', () => {
  for (const partnerState of STATES) {
    const { answers } = words({ foreign: 'isc', state: 'communications-interrupted', partnerState });
    const serves =
      partnerState === 'normal' || partnerState === 'communications-interrupted' || partnerState === 'partner-down';
    assert.equal(answers.includes('dhcp2 (dhcpd) is silent in'), !serves, answers);
  }
  for (const state of ['conflict-done', 'resolution-interrupted'] as const)
    assert.match(
      words({ foreign: 'isc', state, partnerState: 'communications-interrupted' }).answers,
      /silent while this server is in/,
    );
  const down = { foreign: 'isc', state: 'partner-down', partnerDownAt: NOW - 5, partnersUsableAt: NOW + 5 } as const;
  assert.match(words({ ...down, partnerState: 'recover-done' }).answers, /\(dhcpd\) is silent in RECOVER-DONE/);
  assert.match(words({ ...down, foreign: undefined, partnerState: 'recover-done' }).answers, /dhcp2 renews leases/);
});

test('NORMAL: the shares, or who is active', () => {
  assert.match(words({}).answers, /answers 70 % of new clients and dhcp2 the other 30 %/);
  const standby = words({ mode: 'HotStandby', isActive: false, sharePercent: 5 }).answers;
  assert.match(standby, /dhcp2 is the active one and answers new clients; this server stands by with a reserve of 5 %/);
  assert.match(words({ mode: 'HotStandby', sharePercent: 5 }).answers, /This server is the active one/);
  assert.match(words({}).answers, /waited 3 s/);
  assert.doesNotMatch(words({ foreign: 'msft' }).answers, /waited 3 s/, 'Windows has no such rule');
});

test('without contact: the automatic PARTNER-DOWN and what follows it, or how long the own addresses last', () => {
  const alone = { state: 'communications-interrupted', isCommunicating: false } as const;
  const automatic = words({ ...alone, autoPartnerDownAt: NOW + 600, autoPartnerDownSec: 900 }).next;
  assert.match(automatic, /^At 2027-01-15 08:10:00Z \(in 10m\) this server takes dhcp2 for down by itself; 1h5s later/);
  assert.match(
    words(alone).next,
    /Until you say partner-down, .* 120 free addresses alone; .* 12 new clients, they last 10h\.$/,
  );
  assert.match(words({ ...alone, newClients: 0 }).next, /no new client came within the last hour/);
  assert.match(words({ ...alone, freeHere: 0 }).next, /none is left for a new client/);
  assert.match(
    words({ ...alone, freeHere: 1, newClients: 1 }).next,
    /1 free address alone; .* 1 new client, they last 1h/,
  );
  assert.match(words(alone).toDo, /failover set --name rel1 --partner-down/);
  assert.match(words({ autoPartnerDownSec: 7200 }).next, /take it for down by itself after 2h/);
});

test('PARTNER-DOWN: until when the partner’s addresses are not used, and why', () => {
  const down = {
    state: 'partner-down',
    isCommunicating: false,
    partnerDownAt: NOW - 1000,
    partnersUsableAt: NOW + 2605,
  } as const;
  const [free, held] = words({ ...down, heldByPartner: { count: 37, untilAt: NOW + 40_000 } }).waits;
  assert.equal(
    free,
    'the 118 free addresses of dhcp2 are not used before 2027-01-15 08:43:25Z (in 43m25s): dhcp2 may have leased any of them before 2027-01-15 07:43:20Z, for at most 1h (MCLT); 5s more allow for clocks',
  );
  assert.match(
    held ?? '',
    /^37 addresses with a lease that dhcp2 may have extended .* the last at 2027-01-15 19:06:40Z$/,
  );
  const later = words({ ...down, partnersUsableAt: NOW });
  assert.deepEqual(later.waits, []);
  assert.match(later.answers, /uses all free addresses/);
  assert.match(
    words({ ...down, partnersUsableAt: undefined }).waits[0] ?? '',
    /^the 118 free addresses of dhcp2 are not used$/,
  );
  assert.match(
    words({ ...down, heldByPartner: { count: 1, untilAt: 0xffffffff } }).waits[1] ?? '',
    /^1 address .* at never$/,
  );
});

test('RECOVER-WAIT has its end, also where a conflict came in between; silent scopes are named', () => {
  for (const state of ['recover-wait', 'communications-interrupted'] as const) {
    const said = words({ state, recoverWaitUntilAt: NOW + 1800 });
    assert.match(said.waits[0] ?? '', /^until 2027-01-15 08:30:00Z \(in 30m\) no client is answered/);
  }
  assert.deepEqual(words({ recoverWaitUntilAt: NOW }).waits, []);
  assert.match(
    words({ silentScopes: ['10.0.1.0', '10.0.2.0'] }).waits[0] ?? '',
    /^10\.0\.1\.0, 10\.0\.2\.0: not served here/,
  );
});

test('RECOVER says what is fetched, or that contact is missing and what helps if it never comes', () => {
  assert.match(words({ state: 'recover', fetching: 'everything' }).meaning, /fetches all leases from dhcp2/);
  assert.match(words({ state: 'recover', fetching: 'changes' }).meaning, /the leases that it lacks/);
  assert.match(words({ state: 'recover', isCommunicating: false }).meaning, /waits for contact/);
  assert.match(words({ state: 'recover', isCommunicating: false }).toDo, /failover remove rel1 --force/);
});

test('an orderly stop and a pause of the partner are told apart', () => {
  const stopped = words({
    state: 'partner-down',
    partnerState: 'shutdown',
    isCommunicating: false,
    partnerDownAt: NOW,
    partnersUsableAt: NOW + 3605,
  });
  assert.match(stopped.partnerMeaning, /was stopped for longer/);
  const paused = words({ state: 'communications-interrupted', partnerState: 'paused', isCommunicating: false });
  assert.match(paused.partnerMeaning, /was paused and about to come back/);
  assert.match(paused.answers, /dhcp2 is silent in PAUSED, and stays so without contact/);
});

test('instants and spans are those of the command line', () => {
  assert.equal(clockText(NOW), '2027-01-15 08:00:00Z');
  assert.deepEqual([0, 5, 3605, 90_061].map(spanText), ['0s', '5s', '1h5s', '1d1h1m1s']);
});
