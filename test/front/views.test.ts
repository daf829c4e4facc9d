/** What people see of answers. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { STATUS_VIEW } from '../../src/front/cli/failover-views.ts';
import { PARTNERS_VIEW } from '../../src/front/cli/pair-views.ts';
import { problemLines } from '../../src/front/cli/problem-text.ts';
import { LEASE_VIEW, SCOPE_VIEW, SERVER_VIEW } from '../../src/front/cli/table-views.ts';
import { WHY_VIEW } from '../../src/front/cli/trace-view.ts';
import { automaticView } from '../../src/front/cli/views.ts';
import { problemJson } from '../../src/front/rest/problem-json.ts';

const CONTEXT = { width: undefined };
const AT = 1_700_000_000;
const STATUS = {
  name: 'Pair 1',
  partnerServer: 'dhcp2',
  mode: 'LoadBalance',
  serverType: 'PrimaryServer',
  state: 'Normal',
  stateSince: AT,
  partnerState: 'Normal',
  partnerStateSince: AT,
  isConnected: true,
  isCommunicating: true,
  clockSkew: 0,
  clockAllowance: 5,
  updatesWaiting: 0,
  updatesUnanswered: 0,
  fetching: null,
  partnerFetching: false,
  lastReject: null,
  lastRejectAt: null,
  scopesApart: [],
  openChanges: [],
  freeHere: 30,
  freeAtPartner: 10,
  inUse: 5,
  meaning: 'Both servers work, and each tells the other every lease.',
  partnerMeaning: 'dhcp2 serves as one of the pair.',
  answers: 'This server answers 50 % of new clients and dhcp2 the other 50 %.',
  waits: [],
  next: 'Without dhcp2 this server would answer everybody.',
  toDo: 'Nothing.',
};

test('the status of a sound relationship: a paragraph, and the figures behind it', () => {
  assert.deepEqual(STATUS_VIEW([STATUS], CONTEXT), [
    'Pair 1: LoadBalance with dhcp2; this server is the primary',
    '  Both servers work, and each tells the other every lease. dhcp2 serves as one of the pair. This',
    '    server answers 50 % of new clients and dhcp2 the other 50 %.',
    '  Next: Without dhcp2 this server would answer everybody.',
    '  To do: Nothing.',
    '  here    : Normal since 2023-11-14 22:13:20Z',
    '  partner : Normal since 2023-11-14 22:13:20Z',
    '  link    : communicating; clocks agree, waits allow for 5s',
    '  updates : the partner knows every lease',
    `  free    : 30 here [${'#'.repeat(24)}${'-'.repeat(8)}] 10 at the partner; 5 in use`,
  ]);
});

test('the status names everything that is waited for and in doubt, with the command that helps', () => {
  const troubled = {
    ...STATUS,
    isCommunicating: false,
    isConnected: false,
    clockSkew: -90,
    clockAllowance: 90,
    updatesWaiting: 7,
    updatesUnanswered: 2,
    fetching: 'Everything',
    partnerFetching: true,
    state: 'PartnerDown',
    partnerState: 'NoState',
    partnerStateSince: 0,
    waits: ['the 3 free addresses of dhcp2 are not used before tomorrow', '10.0.1.0: not served here'],
    lastReject: '10.0.1.9: outdated',
    lastRejectAt: AT,
    scopesApart: ['10.0.2.0'],
    openChanges: ['abc in-doubt'],
    freeHere: 0,
    freeAtPartner: 0,
  };
  const lines = STATUS_VIEW([troubled], CONTEXT).join('\n');
  for (const part of [
    'DOWN; clocks 1m30s apart, waits allow for 1m30s',
    '7 for the partner, in 2 messages under way, which is fetching leases; everything from the partner under way',
    'not known yet',
    'Waits: the 3 free addresses of dhcp2 are not used before tomorrow.',
    'Waits: 10.0.1.0: not served here.',
    '10.0.2.0: configured differently here and there; see `twinlease config diff`',
    'change abc in-doubt; see `twinlease pair changes`',
    'refused the last update of 10.0.1.9: outdated (2023-11-14 22:13:20Z)',
  ]) {
    assert.ok(lines.includes(part), `${part}\n${lines}`);
  }
});

test('no line of the words is wider than the terminal, and control characters do not reach it', () => {
  const said = { ...STATUS, answers: `${'word '.repeat(60)}\u001b[2J` };
  for (const width of [40, 60, 100]) {
    const lines = STATUS_VIEW([said], { width });
    const words = lines.slice(
      1,
      lines.findIndex((line) => line.startsWith('  here')),
    );
    assert.ok(
      words.every((line) => line.length <= width),
      `${width}`,
    );
    assert.ok(words.every((line) => !/\p{Cc}/u.test(line)));
  }
});

test('no relationship is said in words', () => {
  assert.deepEqual(STATUS_VIEW([], CONTEXT), ['There is no failover relationship.']);
});

test('a trace tells what came, what was decided and by which steps', () => {
  const trace = {
    at: AT,
    messageType: 'DISCOVER',
    hardware: '02-00-00-00-00-01',
    clientId: null,
    relay: '10.0.1.1',
    scopeId: '10.0.1.0',
    outcome: 'silent',
    reason: 'the partner answers this client',
    steps: ['scope 10.0.1.0', 'bucket 17'],
  };
  assert.deepEqual(WHY_VIEW([trace], CONTEXT), [
    '2023-11-14 22:13:20Z  DISCOVER from 02-00-00-00-00-01 (relay 10.0.1.1, scope 10.0.1.0)',
    '  silent: the partner answers this client',
    '    1. scope 10.0.1.0',
    '    2. bucket 17',
  ]);
  assert.match(WHY_VIEW([], CONTEXT)[0] ?? '', /^Nothing is remembered/);
});

test('names that clients sent cannot reach the terminal as commands', () => {
  const lease = { ipAddress: '10.0.1.9', hostName: '\u001b]0;x\u0007', addressState: 'Active', leaseExpiryTime: AT };
  for (const line of [...LEASE_VIEW([lease], CONTEXT), ...WHY_VIEW([{ reason: '\u001b[2J' }], CONTEXT)]) {
    assert.doesNotMatch(line, /\p{Cc}/u);
  }
});

test('a lease without an end never ends, and an ended one shows when', () => {
  const [, endless, ended] = LEASE_VIEW(
    [
      { ipAddress: '10.0.1.9', addressState: 'Active', leaseExpiryTime: null },
      { ipAddress: '10.0.1.10', addressState: 'Expired', leaseExpiryTime: AT },
    ],
    CONTEXT,
  );
  assert.match(endless ?? '', /never/);
  assert.match(ended ?? '', /2023-11-14 22:13:20Z/);
});

test('an empty table says what is not there', () => {
  assert.deepEqual(SCOPE_VIEW([], CONTEXT), ['There is no scope. Add one with `twinlease scope add`.']);
});

test('the server view has its relationships and its problems', () => {
  const server = {
    name: 'dhcp1',
    startedAt: AT,
    relationships: [{ name: 'Pair 1', state: 'Normal', partnerState: 'Normal', isCommunicating: true }],
    problems: [
      { at: AT, code: 'config/apart', text: 'Apart.', firstAt: AT, count: 1 },
      { at: AT + 60, code: 'failover/bad-message', text: 'Bad.', firstAt: AT, count: 13 },
    ],
  };
  const lines = SERVER_VIEW(server, CONTEXT).join('\n');
  assert.match(lines, /name\s+: dhcp1\nstartedAt : 2023-11-14 22:13:20Z/);
  assert.match(lines, /Pair 1 {2}Normal/);
  assert.match(lines, /2023-11-14 22:13:20Z {2}Apart\. \(config\/apart\)/);
  assert.match(lines, /22:14:20Z {2}Bad\. \(failover\/bad-message; 13 times since 2023-11-14 22:13:20Z\)/);
  assert.match(SERVER_VIEW({ ...server, problems: [] }, CONTEXT).join('\n'), /No problems\.$/);
});

test('answers without a view of their own are readable too', () => {
  assert.deepEqual(automaticView(null, CONTEXT), ['Done.']);
  assert.deepEqual(automaticView([], CONTEXT), ['None.']);
  assert.deepEqual(automaticView(['10.0.1.0', '10.0.2.0'], CONTEXT), ['10.0.1.0', '10.0.2.0']);
  assert.deepEqual(automaticView([{ a: 1, bTwo: true }], CONTEXT), ['A  B TWO', '1  yes']);
  assert.deepEqual(
    automaticView(
      { leaseDuration: 3600, name: null, list: [1, 2], drops: { 'no-scope': 3, nak: 1 }, percentage: 0.5 },
      CONTEXT,
    ),
    [
      'leaseDuration : 1h',
      'name          :',
      'list          : 1, 2',
      'drops         : no-scope 3, nak 1',
      'percentage    : 0.50',
    ],
  );
});

test('partners are listed with their kind, so that one of another make is told from our own', () => {
  const own = {
    name: 'dhcp2',
    kind: 'twinlease',
    host: 'dhcp2',
    port: 647,
    answers: true,
    version: '0.1.0',
    key: 'ab',
  };
  const foreign = { name: 'isc2', kind: 'isc', host: '10.0.0.3', port: 647, answers: false, version: null };
  const rows = [
    { ...own, relationships: ['r1'] },
    { ...foreign, relationships: [], key: 'foreign:10.0.0.3' },
  ];
  const lines = PARTNERS_VIEW(rows, CONTEXT);
  assert.match(lines[0] ?? '', /NAME +KIND +HOST/);
  assert.match(lines[2] ?? '', /^isc2 +isc +10\.0\.0\.3 +647 +no /);
});

test('a warning that holds lines to be entered elsewhere shows them as lines, and nothing else that a terminal obeys', () => {
  const problem = problemJson({
    code: 'failover/foreign-enter',
    slots: { name: 'r1', partner: 'isc2', lines: '\nfailover peer "r1" {\n  secondary;\u001b[31m\n}' },
  });
  const lines = problemLines('warning', problem).split('\n');
  assert.deepEqual(lines.slice(0, 2), ['warning: Partner isc2 must be configured to match:', 'failover peer "r1" {']);
  assert.equal(lines.join('\n').includes('\u001b'), false);
  assert.ok(
    lines.some((line) => line.includes('Enter this at isc2')),
    'the advice names the partner',
  );
});
