/**
 * A two-server operation ends whole: either process is killed before and after each of its steps and started again, the link is
 * cut at each, or the other server never comes back; then both servers have the change or neither, or the survivor shows the doubt
 * and a command ends it.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Outcome } from '../../src/manage/operation.ts';
import { type FakeServer, type FakeWorld, pairedServers, type Step, twoServers } from './fake-control.ts';

interface Story {
  readonly operation: string;
  readonly params: Record<string, unknown>;
  readonly start: () => Promise<FakeWorld>;
  /** Whether the change is in force on this server. */
  readonly isMade: (server: FakeServer) => boolean;
}

const ADD = { Name: 'rel1', PartnerServer: 'dhcp2', ScopeId: ['10.0.1.0'] };
const hasRelationship = (server: FakeServer): boolean => server.config.relationships.length === 1;

const STORIES: readonly Story[] = [
  { operation: 'failover.add-by-load-balance', params: ADD, start: async () => twoServers(), isMade: hasRelationship },
  {
    operation: 'failover.add-by-hot-standby',
    params: { ...ADD, SharedSecret: 's' },
    start: async () => twoServers(),
    isMade: hasRelationship,
  },
  {
    operation: 'failover.set',
    params: { Name: 'rel1', MaxClientLeadTime: 77 },
    start: pairedServers,
    isMade: (server) => server.config.relationships[0]?.mcltSec === 77,
  },
  {
    operation: 'failover-scope.add',
    params: { Name: 'rel1', ScopeId: ['10.0.2.0'] },
    start: pairedServers,
    isMade: (server) => server.config.relationships[0]?.scopeIds.length === 2,
  },
  {
    operation: 'failover-scope.remove',
    params: { Name: 'rel1', ScopeId: ['10.0.1.0'] },
    start: pairedServers,
    isMade: (server) => server.config.relationships[0]?.scopeIds.length === 0,
  },
  {
    operation: 'failover.remove',
    params: { Name: ['rel1'] },
    start: pairedServers,
    isMade: (server) => !hasRelationship(server),
  },
];

/** Every step of an undisturbed run. */
async function stepsOf(story: Story): Promise<string[]> {
  const world = await story.start();
  const seen: string[] = [];
  world.onStep = (step) => seen.push(nameOf(step));
  const outcome = await world.a.run(story.operation, story.params);
  assert.equal(outcome.kind, 'ok');
  await world.rest();
  assert.ok(story.isMade(world.a) && story.isMade(world.b));
  return seen;
}

function nameOf(step: Step): string {
  return `${step.server.name} ${step.when} ${step.what}`;
}

/** Runs the story and does something at its n-th step. */
async function disturbed(
  story: Story,
  index: number,
  disturb: (world: FakeWorld, step: Step) => void,
): Promise<{ world: FakeWorld; at: string | undefined; outcome: () => Outcome<unknown> | undefined }> {
  const world = await story.start();
  let count = 0;
  let at: string | undefined;
  world.onStep = (step) => {
    if (count++ !== index) return;
    at = nameOf(step);
    disturb(world, step);
  };
  let ended: Outcome<unknown> | undefined;
  // A killed server never answers its operator, so nobody waits for it here.
  world.a.run(story.operation, story.params).then(
    (outcome) => {
      ended = outcome;
    },
    (error: unknown) => assert.fail(String(error)),
  );
  await world.rest();
  world.onStep = undefined;
  return { world, at, outcome: () => ended };
}

function assertWhole(story: Story, world: FakeWorld, at: string): void {
  assert.equal(story.isMade(world.a), story.isMade(world.b), `half made after: ${at}`);
  assert.deepEqual([world.a.openChanges(), world.b.openChanges()], [[], []], `open after: ${at}`);
  for (const server of [world.a, world.b]) {
    for (const relationship of server.config.relationships) {
      assert.equal(relationship.leavingScopeIds, undefined, `${server.name} is silent after: ${at}`);
    }
    assert.ok(
      ![...server.transactions.values()].some((record) => record.body.includes('"kind":"change"')),
      `a record is left after: ${at}`,
    );
  }
}

for (const story of STORIES) {
  test(`${story.operation}: a server killed at any step and started again`, async () => {
    const steps = await stepsOf(story);
    const killed = { dhcp1: 0, dhcp2: 0 };
    for (let index = 0; index < steps.length; index++) {
      const { world, at } = await disturbed(story, index, (_world, step) => {
        step.server.kill();
        killed[step.server.name as keyof typeof killed]++;
      });
      assert.ok(at !== undefined);
      for (const server of [world.a, world.b]) if (!server.isUp) server.restart();
      await world.pass(30);
      assertWhole(story, world, `kill ${at}`);
    }
    assert.ok(killed.dhcp1 > 3 && killed.dhcp2 > 1, JSON.stringify(killed));
  });

  test(`${story.operation}: the link cut at any step and mended`, async () => {
    const steps = await stepsOf(story);
    for (let index = 0; index < steps.length; index++) {
      const { world, at, outcome } = await disturbed(story, index, (cut) => {
        cut.isCut = true;
      });
      const answered = outcome();
      assert.ok(answered !== undefined, `no answer to the operator after: cut ${at}`);
      world.isCut = false;
      await world.pass(30);
      assertWhole(story, world, `cut ${at}`);
      // A commit whose outcome was still unknown is told as a warning, never as a failure of something that takes effect.
      assert.equal(answered.kind === 'ok', story.isMade(world.a), `told ${answered.kind} after: cut ${at}`);
    }
  });

  test(`${story.operation}: the other server gone for good at any step is whole, or a doubt that a command ends`, async () => {
    const steps = await stepsOf(story);
    const doubts = { dhcp1: 0, dhcp2: 0 };
    for (const gone of ['dhcp1', 'dhcp2'] as const) {
      for (let index = 0; index < steps.length; index++) {
        const { world, at } = await disturbed(story, index, (all) => (gone === 'dhcp1' ? all.a : all.b).kill());
        const survivor = gone === 'dhcp1' ? world.b : world.a;
        await world.pass(30);
        const listed = await survivor.run('pair.changes');
        const open = listed.kind === 'ok' ? (listed.value as { Id: string; Side: string; Standing: string }[]) : [];
        for (const change of open) {
          doubts[survivor.name as keyof typeof doubts]++;
          assert.ok(['in-doubt', 'unconfirmed'].includes(change.Standing), `${change.Standing} after: ${at}`);
          const ended = await survivor.run('pair.end-change', { Id: change.Id, Outcome: 'commit' });
          assert.equal(ended.kind, 'ok', JSON.stringify(ended));
          await world.rest();
          assert.ok(story.isMade(survivor), `not in force after: ${at}`);
        }
        await world.pass(6);
        const left = survivor.openChanges().filter((standing) => standing !== 'ended-by-hand');
        assert.deepEqual(left, [], `still open after: ${at}`);
      }
    }
    assert.ok(doubts.dhcp1 > 0 && doubts.dhcp2 > 0, `the command was never needed: ${JSON.stringify(doubts)}`);
  });
}

test('a doubt aborted by hand leaves the old configuration and wakes the silenced scopes', async () => {
  const world = await pairedServers();
  world.onStep = (step) => {
    if (step.server === world.a && step.what.startsWith('revision') && step.when === 'before') world.a.kill();
  };
  void world.a.run('failover.remove', { Name: ['rel1'] });
  await world.rest();
  assert.deepEqual(world.b.config.relationships[0]?.leavingScopeIds, ['10.0.1.0']);
  const listed = await world.b.run('pair.changes');
  const [change] = listed.kind === 'ok' ? (listed.value as { Id: string; Standing: string }[]) : [];
  assert.equal(change?.Standing, 'in-doubt');
  const busy = await world.b.run('scope.set-by-without-range', { ScopeId: '10.0.1.0', Name: 'other' });
  assert.equal(busy.kind === 'failed' && busy.problems[0]?.code, 'failover/busy');
  assert.equal((await world.b.run('pair.end-change', { Id: change?.Id, Outcome: 'abort' })).kind, 'ok');
  assert.equal(world.b.config.relationships[0]?.leavingScopeIds, undefined);
  assert.equal(world.b.config.relationships.length, 1);
});

test('while a change is in doubt nothing is done here that would break the promise', async () => {
  const world = twoServers();
  world.onStep = (step) => {
    if (step.server === world.a && step.what.startsWith('revision') && step.when === 'before') world.a.kill();
  };
  void world.a.run('failover.add-by-load-balance', ADD);
  await world.rest();
  world.onStep = undefined;
  assert.deepEqual(world.b.openChanges(), ['in-doubt']);
  const same = { Name: 'x', StartRange: '10.0.1.10', EndRange: '10.0.1.20', SubnetMask: '255.255.255.0' };
  const refused = await world.b.run('scope.add', same);
  assert.equal(refused.kind === 'failed' && refused.problems[0]?.code, 'failover/busy');
  const other = { Name: 'y', StartRange: '10.8.1.10', EndRange: '10.8.1.20', SubnetMask: '255.255.255.0' };
  assert.equal((await world.b.run('scope.add', other)).kind, 'ok');
});
