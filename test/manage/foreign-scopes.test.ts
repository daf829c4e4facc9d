/** Whoever changes a scope that is shared with a server of another make is told that it must be changed there too. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { problemText } from '../../src/core/problems/catalogue.ts';
import type { Problem } from '../../src/core/problems/problem.ts';
import type { Outcome } from '../../src/manage/operation.ts';
import { type FakeWorld, twoServers } from './fake-control.ts';

const SCOPE = '10.0.1.0';
const OTHER_SCOPE = '10.0.2.0';
const CODE = 'failover/foreign-change-there';

async function related(kind = 'isc'): Promise<FakeWorld> {
  const world = twoServers();
  told(await world.a.run('pair.declare', { Kind: kind, Name: 'dhcp3', Host: '10.0.0.3' }));
  const share = { Name: 'rel1', PartnerServer: 'dhcp3', ScopeId: [SCOPE] };
  assert.ok(!told(await world.a.run('failover.add-by-load-balance', share)).some(({ code }) => code === CODE));
  return world;
}

function told(outcome: Outcome<unknown>): readonly Problem[] {
  assert.equal(outcome.kind, 'ok', JSON.stringify(outcome));
  return outcome.kind === 'ok' ? outcome.warnings : [];
}

/** What must be changed there; undefined where nothing is said. */
function what(outcome: Outcome<unknown>): string | undefined {
  const found = told(outcome).filter(({ code }) => code === CODE);
  assert.ok(found.length < 2);
  return found[0] === undefined ? undefined : String(found[0].slots['what']);
}

test('each kind of change of a shared scope is named, by whatever operation it comes', async () => {
  const { a } = await related();
  const reservation = { ScopeId: SCOPE, IPAddress: '10.0.1.99', ClientId: '001122334455' };
  assert.equal(
    what(await a.run('scope.set-by-without-range', { ScopeId: SCOPE, LeaseDuration: 7200 })),
    `lease duration of scope ${SCOPE}`,
  );
  assert.equal(
    what(await a.run('exclusion.add', { ScopeId: SCOPE, StartRange: '10.0.1.60', EndRange: '10.0.1.61' })),
    `exclusions of scope ${SCOPE}`,
  );
  assert.equal(what(await a.run('reservation.add', reservation)), `reservations of scope ${SCOPE}`);
  assert.equal(
    what(await a.run('option.set-by-option-id', { ScopeId: SCOPE, OptionId: 3, Value: ['10.0.1.1'] })),
    `options of scope ${SCOPE}`,
  );
  const [warning] = told(await a.run('reservation.remove-by-ip-address', { IPAddress: ['10.0.1.99'] }));
  assert.ok(warning !== undefined);
  assert.match(problemText(warning), /needed at partner dhcp3 .* rel1: reservations of scope 10\.0\.1\.0\.$/);
});

test('the same is said before the change, when only its consequences are asked for', async () => {
  const { a } = await related('windows');
  const outcome = await a.run('scope.set-by-without-range', { ScopeId: SCOPE, LeaseDuration: 7200 }, { whatIf: true });
  assert.equal(what(outcome), `lease duration of scope ${SCOPE}`);
});

test('nothing is said of a name, of a change that is none, of another scope, or of a partner of our own kind', async () => {
  const { a } = await related();
  assert.equal(
    what(await a.run('scope.set-by-without-range', { ScopeId: SCOPE, Name: 'renamed', Description: 'text' })),
    undefined,
  );
  assert.equal(
    what(await a.run('scope.set-by-without-range', { ScopeId: SCOPE, LeaseDuration: 7200 })) === undefined,
    false,
  );
  assert.equal(what(await a.run('scope.set-by-without-range', { ScopeId: SCOPE, LeaseDuration: 7200 })), undefined);
  assert.equal(
    what(await a.run('scope.set-by-without-range', { ScopeId: OTHER_SCOPE, LeaseDuration: 7200 })),
    undefined,
  );
  const own = twoServers();
  told(
    await own.a.run('failover.add-by-load-balance', { Name: 'rel2', PartnerServer: 'dhcp2', ScopeId: [OTHER_SCOPE] }),
  );
  assert.equal(
    what(await own.a.run('scope.set-by-without-range', { ScopeId: OTHER_SCOPE, LeaseDuration: 7200 })),
    undefined,
  );
});
