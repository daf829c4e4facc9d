/** The operation that takes over another server's configuration: what it makes, what it refuses to overwrite, and relationships. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultScope } from '../../src/core/config/defaults.ts';
import type { Config } from '../../src/core/config/model.ts';
import type { ImportedRelationship, ImportPlan } from '../../src/import/plan.ts';
import type { Outcome } from '../../src/manage/operation.ts';
import { LiveServer, refusal, related, SHARED } from '../server/live.ts';

type Parts = Omit<ImportPlan, 'source' | 'report'>;

interface Result {
  readonly Revision: number;
  readonly Scopes: readonly string[];
  readonly Kept: readonly string[];
  readonly Reservations: number;
  readonly OptionDefinitions: readonly number[];
  readonly ServerOptions: readonly number[];
  readonly ServerSettings: readonly string[];
  readonly Relationships: readonly string[];
}

const OFFICE = defaultScope({
  scopeId: '10.30.0.0',
  subnetMask: '255.255.255.0',
  name: 'office',
  startRange: '10.30.0.10',
  endRange: '10.30.0.99',
  leaseDurationSec: 3600,
  options: [{ code: 3, hex: '0a1e0001' }],
  reservations: [
    {
      address: '10.30.0.5',
      client: { kind: 'hardware', hex: '000102030405' },
      name: 'printer',
      description: '',
      type: 'Both',
      options: [],
    },
  ],
});

const PLAN: Parts = {
  server: { options: [{ code: 6, hex: '0a1e0035' }], authoritative: false, declineHoldSec: 600 },
  optionDefinitions: [{ code: 224, name: 'site', type: 'word', isArray: false }],
  scopes: [OFFICE],
  relationships: [],
};

function relationship(more: Partial<ImportedRelationship> = {}): ImportedRelationship {
  return {
    name: 'old pair',
    partnerKind: 'isc',
    partnerAddress: '192.0.2.7',
    partnerPort: 519,
    localAddress: null,
    localPort: 647,
    role: 'secondary',
    mode: 'LoadBalance',
    isActive: false,
    percentage: 70,
    mcltSec: 7200,
    stateSwitchIntervalSec: 300,
    scopeIds: ['10.30.0.0'],
    ...more,
  };
}

function config(live: LiveServer): Config {
  return live.control.revision().config;
}

test('scopes, options, definitions and settings come in one revision, and a second import changes nothing', async (t) => {
  const live = await LiveServer.open(t, 'alpha');
  const before = live.control.revision().number;
  const result = await live.ask<Result>('import.configuration', { Plan: PLAN });
  assert.deepEqual(result, {
    Revision: before + 1,
    Scopes: ['10.30.0.0'],
    Kept: [],
    Reservations: 1,
    OptionDefinitions: [224],
    ServerOptions: [6],
    ServerSettings: ['authoritative: false', 'declineHoldSec: 600'],
    Relationships: [],
  });
  assert.deepEqual(config(live).scopes, [OFFICE]);
  assert.deepEqual(config(live).server.options, PLAN.server.options);
  assert.equal(config(live).server.authoritative, false);
  assert.equal(config(live).server.offerHoldSec, 30, 'what the plan does not say stays');
  const again = await live.ask<Result>('import.configuration', { Plan: PLAN });
  assert.deepEqual([again.Revision, again.Scopes, again.ServerSettings], [before + 1, [], []]);
});

test('what-if tells the differences and changes nothing', async (t) => {
  const live = await LiveServer.open(t, 'alpha');
  const before = live.control.revision();
  const outcome = await live.run(
    'import.configuration',
    { Plan: { ...PLAN, relationships: [relationship()] }, Relationships: true },
    true,
  );
  assert.equal(outcome.kind, 'ok');
  const lines = (outcome as { value: { whatIf: string[] } }).value.whatIf.join('\n');
  assert.match(lines, /Adds scopes\[10\.30\.0\.0\]/);
  assert.match(lines, /Changes server\.authoritative from true to false/);
  assert.match(lines, /Adds relationship old pair as its secondary with the partner 192\.0\.2\.7, for 10\.30\.0\.0/);
  assert.equal(live.control.revision(), before);
});

test('what is here with other contents is refused, kept or replaced, as it is told', async (t) => {
  const live = await LiveServer.open(t, 'alpha');
  await live.ask('import.configuration', { Plan: PLAN });
  const Plan: Parts = {
    server: { options: [{ code: 6, hex: '0a1e0036' }], authoritative: true },
    optionDefinitions: [{ code: 224, name: 'site', type: 'dword', isArray: false }],
    scopes: [
      { ...OFFICE, name: 'renamed' },
      defaultScope({
        ...OFFICE,
        scopeId: '10.31.0.0',
        startRange: '10.31.0.10',
        endRange: '10.31.0.20',
        reservations: [],
      }),
    ],
    relationships: [],
  };
  const before = live.control.revision();
  const refused = await live.run('import.configuration', { Plan });
  assert.deepEqual(refused.kind === 'failed' && refused.problems.map(({ code, target }) => [code, target]), [
    ['scope/exists', '10.30.0.0'],
    ['option/exists', '224'],
    ['request/invalid-parameter', 'Plan.server.options'],
  ]);
  assert.equal(live.control.revision(), before);

  const kept = await live.ask<Result>('import.configuration', { Plan, Existing: 'Keep' });
  assert.deepEqual([kept.Scopes, kept.ServerSettings], [['10.31.0.0'], []]);
  assert.deepEqual(kept.Kept, ['scope 10.30.0.0', 'definition 224', 'option 6']);
  assert.equal(config(live).scopes[0]?.name, 'office');
  assert.equal(config(live).server.authoritative, false);

  const replaced = await live.ask<Result>('import.configuration', { Plan, Existing: 'Replace' });
  assert.deepEqual([replaced.Scopes, replaced.OptionDefinitions, replaced.ServerOptions], [['10.30.0.0'], [224], [6]]);
  assert.equal(config(live).scopes[0]?.name, 'renamed');
  assert.equal(config(live).server.authoritative, true);
});

test('a plan that breaks the rules of a configuration is refused whole', async (t) => {
  const live = await LiveServer.open(t, 'alpha');
  const cases: readonly (readonly [object, string])[] = [
    [
      {
        ...PLAN,
        scopes: [
          OFFICE,
          {
            ...OFFICE,
            scopeId: '10.30.0.128',
            subnetMask: '255.255.255.128',
            startRange: '10.30.0.130',
            endRange: '10.30.0.140',
            reservations: [],
          },
        ],
      },
      'config/scope-exists',
    ],
    [{ ...PLAN, scopes: [{ ...OFFICE, startRange: '10.30.0.0' }] }, 'config/invalid-range'],
    [{ ...PLAN, scopes: [{ ...OFFICE, colour: 'red' }] }, 'config/invalid'],
    [{ ...PLAN, scopes: 7 }, 'config/invalid'],
    [{ ...PLAN, server: 7 }, 'request/invalid-parameter'],
    [{ ...PLAN, relationships: [relationship({ percentage: 101 })] }, 'request/invalid-parameter'],
  ];
  for (const [Plan, code] of cases)
    assert.equal(refusal(await live.run('import.configuration', { Plan })), code, JSON.stringify(Plan));
  assert.deepEqual(config(live).scopes, []);
});

test('a reader may not import', async (t) => {
  const live = await LiveServer.open(t, 'alpha');
  const { invoke } = await import('../../src/manage/define.ts');
  const { importConfiguration } = await import('../../src/manage/import-configuration.ts');
  const caller = { account: 'reader', role: 'reader', door: 'rest', address: '127.0.0.1' } as const;
  const outcome = await invoke({
    control: live.control,
    caller,
    operation: importConfiguration,
    params: { Plan: PLAN },
    whatIf: false,
  });
  assert.equal(refusal(outcome), 'request/access-denied');
});

test('a scope that is shared keeps its range, whatever the plan says', async (t) => {
  const { a } = await related(t);
  const shared = config(a).scopes.find((scope) => scope.scopeId === SHARED.ScopeId);
  assert.ok(shared !== undefined);
  const Plan = {
    server: {},
    optionDefinitions: [],
    relationships: [],
    scopes: [{ ...shared, endRange: '10.77.0.50' }],
  };
  assert.equal(refusal(await a.run('import.configuration', { Plan, Existing: 'Replace' })), 'failover/range-fixed');
});

test('a relationship of the plan is made with the partner of another make, and only when asked for', async (t) => {
  const live = await LiveServer.open(t, 'alpha');
  const Plan = { ...PLAN, relationships: [relationship()] };
  const without = await live.ask<Result>('import.configuration', { Plan });
  assert.deepEqual([without.Relationships, config(live).relationships], [[], []]);
  const outcome = await live.run('import.configuration', { Plan, Relationships: true });
  assert.equal(outcome.kind, 'ok', JSON.stringify(outcome));
  const { value, warnings } = outcome as Extract<Outcome<Result>, { kind: 'ok' }>;
  assert.deepEqual(value.Relationships, ['old pair']);
  assert.ok(warnings.some(({ code }) => code === 'failover/foreign-enter'));
  const [made] = config(live).relationships;
  assert.deepEqual(
    [
      made?.profile,
      made?.role,
      made?.mode,
      made?.percentage,
      made?.mcltSec,
      made?.stateSwitchIntervalSec,
      made?.scopeIds,
    ],
    ['isc', 'secondary', 'LoadBalance', (179 * 100) / 256, 7200, 300, ['10.30.0.0']],
  );
  const [partner] = config(live).partners;
  assert.deepEqual(
    [partner?.host, partner?.port, partner?.foreign],
    ['192.0.2.7', 519, { kind: 'isc', localAddress: null }],
  );
  const again = await live.ask<Result>('import.configuration', { Plan, Relationships: true });
  assert.deepEqual(again.Relationships, []);
});

test('a scope that comes with its relationship is inactive until that is made', async (t) => {
  const live = await LiveServer.open(t, 'alpha');
  const Plan = { ...PLAN, relationships: [relationship()] };
  const seen: string[] = [];
  const { onConfigChanged } = live.server;
  live.server.onConfigChanged = () => {
    onConfigChanged?.();
    seen.push(`${config(live).scopes[0]?.state}, ${config(live).relationships.length} relationships`);
  };
  const outcome = await live.run('import.configuration', { Plan, Relationships: true });
  assert.ok(outcome.kind === 'ok');
  assert.deepEqual(seen, ['Inactive, 0 relationships', 'Inactive, 1 relationships', 'Active, 1 relationships']);
  assert.ok(!outcome.warnings.some(({ code }) => code === 'failover/foreign-change-there'));
  const again = await live.ask<Result>('import.configuration', { Plan, Relationships: true });
  assert.deepEqual([again.Scopes, again.Kept, config(live).scopes[0]?.state], [[], [], 'Active']);
});

test('a scope whose relationship could not be made stays inactive until another import makes it', async (t) => {
  const live = await LiveServer.open(t, 'alpha');
  const scopeIds = ['10.30.0.0', '10.99.0.0'];
  const refused = { ...PLAN, relationships: [relationship({ scopeIds })] };
  const outcome = await live.run('import.configuration', { Plan: refused, Relationships: true });
  assert.ok(outcome.kind === 'ok');
  assert.equal(outcome.errors[0]?.code, 'scope/unknown');
  assert.equal(config(live).scopes[0]?.state, 'Inactive');
  const Plan = { ...PLAN, relationships: [relationship()] };
  const { Relationships } = await live.ask<Result>('import.configuration', { Plan, Relationships: true });
  assert.deepEqual([Relationships, config(live).scopes[0]?.state], [['old pair'], 'Active']);
});

test('a relationship that cannot be made is an error beside what was done', async (t) => {
  const live = await LiveServer.open(t, 'alpha');
  const Plan = { ...PLAN, relationships: [relationship({ scopeIds: ['10.99.0.0'] })] };
  const outcome = await live.run('import.configuration', { Plan, Relationships: true });
  assert.equal(outcome.kind, 'ok');
  const { value, errors } = outcome as Extract<Outcome<Result>, { kind: 'ok' }>;
  assert.deepEqual([value.Scopes, value.Relationships], [['10.30.0.0'], []]);
  assert.equal(errors[0]?.code, 'scope/unknown');
  const again = await live.run('import.configuration', { Plan, Relationships: true });
  assert.equal(refusal(again), 'scope/unknown', 'nothing was done at all');
});
