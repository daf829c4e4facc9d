/**
 * Every code of the management specification 1.8 has a cause here or a reason why it has none, and checks come in its order.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Config } from '../../src/core/config/model.ts';
import { PROBLEMS, problemMessageId, problemText, WINDOWS_WITHOUT_CAUSE } from '../../src/core/problems/catalogue.ts';
import type { ProblemEntry } from '../../src/core/problems/problem.ts';
import type { Outcome } from '../../src/manage/operation.ts';
import { ERROR_CASES } from './error-cases.ts';
import { type FakeWorld, READER, scope, twoServers } from './fake-control.ts';

/** Management specification 1.8. */
const SPECIFIED = [
  ...[
    20112, 20113, 20114, 20115, 20116, 20117, 20118, 20119, 20120, 20121, 20122, 20123, 20124, 20125, 20126, 20127,
    20128,
  ],
  ...[20129, 20130, 20131, 20132, 20133, 20134, 20005, 20007, 20010, 20012, 20022, 20023, 20052, 2, 5, 87, 259, 1722],
];

for (const one of ERROR_CASES) {
  test(`${one.messageId} ${one.operation}: ${one.name}`, async () => {
    const world = await one.world();
    const before = JSON.stringify([world.a.config, world.b.config]);
    const outcome = await world.a.run(
      one.operation,
      one.params,
      one.caller === undefined ? {} : { caller: one.caller },
    );
    assert.equal(outcome.kind, 'failed', JSON.stringify(outcome));
    if (outcome.kind !== 'failed') return;
    const [first] = outcome.problems;
    assert.ok(first !== undefined);
    assert.deepEqual([problemMessageId(first), first.code], [one.messageId, one.code]);
    assert.doesNotMatch(problemText(first), /\{/, 'every slot of the text is filled');
    await world.rest();
    assert.equal(JSON.stringify([world.a.config, world.b.config]), before, 'nothing changed on either server');
    assert.deepEqual([world.a.openChanges(), world.b.openChanges()], [[], []]);
  });
}

test('every specified code is made by a case or stands among those without a cause, with a reason', () => {
  const made = new Set(ERROR_CASES.map((one) => Number(one.messageId.split(' ')[1])));
  const without = new Map<number, string>(WINDOWS_WITHOUT_CAUSE.map((one) => [one.number, one.reason]));
  for (const number of SPECIFIED) {
    assert.ok(
      made.has(number) !== without.has(number),
      `${number} is ${made.has(number) ? 'made and excused' : 'neither made nor excused'}`,
    );
  }
});

test('every entry of the catalogue says what, why and what to do', () => {
  const entries: [string, ProblemEntry][] = Object.entries(PROBLEMS);
  assert.ok(entries.length > 80);
  for (const [code, entry] of entries) {
    assert.match(code, /^[a-z-]+\/[a-z-]+$/);
    for (const part of [entry.text, entry.why, entry.action]) assert.match(part, /\S.*[.})|]$/, `${code}: ${part}`);
  }
});

test('an unknown code of a newer partner is shown as what it is', () => {
  assert.equal(problemText({ code: 'future/thing', slots: { n: 1 } }), 'The partner reports future/thing {"n":1}.');
});

/** Relationships on the called server alone. */
function relate(world: FakeWorld, names: readonly string[], scopeIds: readonly string[]): void {
  const made = names.map((name) => ({
    name,
    id: name,
    partnerKey: world.b.key,
    partnerServer: 'dhcp2',
    role: 'primary' as const,
    mode: 'LoadBalance' as const,
    isActive: false,
    percentage: 50,
    mcltSec: 3600,
    stateSwitchIntervalSec: null,
    sharedSecretRef: null,
    scopeIds: [...scopeIds],
    profile: 'twinlease' as const,
  }));
  force(world, (config) => ({ ...config, relationships: [...config.relationships, ...made] }));
}

/** Two things wrong at once need not make a configuration that could be put in force. */
function force(world: FakeWorld, change: (config: Config) => Config): void {
  const present = world.a.control.revision();
  world.a.revisions.push({ ...present, number: present.number + 1, config: change(present.config) });
}

/** Each row breaks one check of creation; rows stand in the order of the checks. */
const CREATION_CHECKS: readonly {
  readonly code: string;
  readonly params?: Record<string, unknown>;
  readonly break?: (world: FakeWorld) => void;
}[] = [
  { code: 'request/invalid-parameter', params: { LoadBalancePercent: 101 } },
  { code: 'scope/unknown', params: { ScopeId: ['10.0.1.0', '10.9.9.0', '10.0.2.0'] } },
  {
    code: 'failover/bootp-scope',
    break: (world) =>
      force(world, (config) => ({
        ...config,
        scopes: config.scopes.map((one) => (one.scopeId === '10.0.2.0' ? { ...one, type: 'Bootp' } : one)),
      })),
  },
  { code: 'failover/name-too-long', params: { Name: 'n'.repeat(127) } },
  {
    code: 'failover/too-many-scopes',
    params: { ScopeId: [...Array.from({ length: 400 }, () => '10.0.1.0'), '10.0.2.0'] },
  },
  {
    code: 'failover/too-many-relationships',
    break: (world) =>
      relate(
        world,
        Array.from({ length: 31 }, (_, i) => `r${i}`),
        [],
      ),
  },
  { code: 'failover/scope-in-relationship', break: (world) => relate(world, ['taker'], ['10.0.2.0']) },
  { code: 'failover/name-taken', break: (world) => relate(world, ['rel1'], []) },
  { code: 'partner/name-unresolved', params: { PartnerServer: 'nowhere.example' } },
  { code: 'partner/unreachable', break: (world) => world.b.kill() },
  {
    code: 'failover/partner-not-able',
    break: (world) => {
      world.b.features = [];
    },
  },
  {
    code: 'failover/clocks-differ',
    break: (world) => {
      world.b.skewSec = -200;
    },
  },
  { code: 'scope/exists', break: (world) => world.b.put((config) => ({ ...config, scopes: [scope(1)] })) },
];

function firstCode(outcome: Outcome<unknown>): string | undefined {
  return outcome.kind === 'failed' ? outcome.problems[0]?.code : undefined;
}

test('creation checks in the specified order: of any two things wrong the earlier is told', async () => {
  for (let i = 0; i < CREATION_CHECKS.length; i++) {
    for (let j = i; j < CREATION_CHECKS.length; j++) {
      const world = twoServers();
      const params: Record<string, unknown> = {
        Name: 'rel1',
        PartnerServer: 'dhcp2',
        ScopeId: ['10.0.1.0', '10.0.2.0'],
      };
      for (const row of [CREATION_CHECKS[j]!, CREATION_CHECKS[i]!]) {
        Object.assign(params, row.params);
        row.break?.(world);
      }
      const outcome = await world.a.run('failover.add-by-load-balance', params);
      assert.equal(
        firstCode(outcome),
        CREATION_CHECKS[i]!.code,
        `${CREATION_CHECKS[i]!.code} goes before ${CREATION_CHECKS[j]!.code}`,
      );
    }
  }
});

test('rights are checked before anything else, and reading needs none', async () => {
  const world = twoServers();
  assert.equal(
    firstCode(await world.a.run('failover.set', { nonsense: 1 }, { caller: READER })),
    'request/access-denied',
  );
  assert.equal((await world.a.run('failover.get-by-name', {}, { caller: READER })).kind, 'ok');
});

test('ComputerName is accepted absent, empty, as loopback and as any own name', async () => {
  const world = twoServers();
  for (const ComputerName of [
    undefined,
    null,
    '',
    '.',
    'localhost',
    'LOCALHOST',
    '127.0.0.1',
    '127.9.9.9',
    'dhcp1',
    'DHCP1.',
    '10.0.0.1',
  ]) {
    assert.equal((await world.a.run('failover.get-by-name', { ComputerName })).kind, 'ok', String(ComputerName));
  }
});
