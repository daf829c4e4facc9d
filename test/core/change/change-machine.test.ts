/**
 * A change on two servers ends whole or shows the doubt, whatever is lost, cut or killed on the way. A seeded world runs two
 * machines over a lossy network and stores that survive a kill.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ChangeMachine, RESEND_EVERY_MS } from '../../../src/core/change/change-machine.ts';
import type {
  AskAnswer,
  Change,
  ChangeEffect,
  EndResult,
  PartnerCall,
  StoredChange,
} from '../../../src/core/change/change-types.ts';

/** One server: its machine, what is on its disk, and what is in force. */
class Side {
  machine = new ChangeMachine();
  readonly disk = new Map<string, StoredChange>();
  readonly inForce = new Set<string>();
  readonly ends = new Map<string, EndResult>();
  readonly events: string[] = [];
  isUp = true;
  /** Grows with every kill, so that what was under way before is forgotten. */
  life = 0;
  readonly key: string;
  constructor(key: string) {
    this.key = key;
  }
}

interface Task {
  readonly at: number;
  readonly run: () => void;
}

class World {
  readonly a = new Side('a');
  readonly b = new Side('b');
  nowMs = 0;
  isCut = false;
  readonly #tasks: Task[] = [];
  readonly #random: () => number;
  readonly lossPercent: number;
  /** Performed effects, counted for the kill points. */
  performed = 0;
  onEffect: ((side: Side, effect: ChangeEffect, when: 'before' | 'after') => void) | undefined;
  #token = 0;
  readonly #replies = new Map<number, (answer: AskAnswer) => void>();

  constructor(random: () => number = () => 0, lossPercent = 0) {
    this.#random = random;
    this.lossPercent = lossPercent;
  }

  other(side: Side): Side {
    return side === this.a ? this.b : this.a;
  }

  later(run: () => void): void {
    this.#tasks.push({ at: this.nowMs + 1 + Math.floor(this.#random() * 20), run });
  }

  input(side: Side, input: Parameters<ChangeMachine['step']>[1]): void {
    if (!side.isUp) return;
    for (const effect of side.machine.step(this.nowMs, input)) {
      const life = side.life;
      this.performed++;
      this.onEffect?.(side, effect, 'before');
      if (side.life !== life) return;
      this.#perform(side, effect);
      this.onEffect?.(side, effect, 'after');
      if (side.life !== life) return;
    }
  }

  kill(side: Side): void {
    side.isUp = false;
    side.life++;
  }

  start(side: Side): void {
    side.machine = new ChangeMachine();
    side.machine.restore([...side.disk.values()]);
    side.isUp = true;
  }

  run(untilMs: number): void {
    while (this.nowMs < untilMs) {
      const next = this.#tasks.sort((x, y) => x.at - y.at)[0];
      const tickAt = Math.min(
        ...[this.a, this.b].map((side) => (side.isUp ? (side.machine.deadlineMs ?? untilMs) : untilMs)),
      );
      if (next !== undefined && next.at <= tickAt) {
        this.#tasks.shift();
        this.nowMs = Math.max(this.nowMs, next.at);
        next.run();
      } else {
        this.nowMs = Math.max(this.nowMs + 1, tickAt);
        for (const side of [this.a, this.b]) this.input(side, { kind: 'tick' });
      }
    }
  }

  #after(side: Side, run: () => void): void {
    const life = side.life;
    this.later(() => {
      if (side.life === life && side.isUp) run();
    });
  }

  #perform(side: Side, effect: ChangeEffect): void {
    switch (effect.kind) {
      case 'ask':
        this.#ask(side, effect.call);
        return;
      case 'hold':
        side.disk.set(effect.stored.change.id, effect.stored);
        this.#after(side, () =>
          this.input(side, { kind: 'held', id: effect.stored.change.id, result: { kind: 'ok' } }),
        );
        return;
      case 'release':
        if (effect.keep) side.disk.set(effect.stored.change.id, effect.stored);
        else side.disk.delete(effect.stored.change.id);
        this.#after(side, () => this.input(side, { kind: 'released', id: effect.stored.change.id }));
        return;
      case 'revise':
        side.inForce.add(effect.stored.change.id);
        side.disk.set(effect.stored.change.id, effect.stored);
        this.#after(side, () =>
          this.input(side, { kind: 'revised', id: effect.stored.change.id, result: { kind: 'ok' } }),
        );
        return;
      case 'forget':
        side.disk.delete(effect.id);
        return;
      case 'reply':
        this.#replies.get(effect.token)?.(effect.answer);
        return;
      case 'end':
        side.ends.set(effect.id, effect.result);
        return;
      case 'event':
        side.events.push(effect.problem.code);
        return;
      default:
        effect satisfies never;
    }
  }

  #ask(side: Side, call: PartnerCall): void {
    const id = call.method === 'prepare' ? call.change.id : call.id;
    const life = side.life;
    let isAnswered = false;
    const answer = (value: AskAnswer): void => {
      if (isAnswered || side.life !== life || !side.isUp) return;
      isAnswered = true;
      this.input(side, { kind: 'answered', id, method: call.method, answer: value });
    };
    // A call that was lost, or whose answer was, is given up after a second.
    this.#tasks.push({ at: this.nowMs + 1000, run: () => answer({ kind: 'nobody', why: 'no answer' }) });
    if (this.#isLost()) return;
    const token = this.#token++;
    this.#replies.set(token, (value) => {
      if (!this.#isLost()) this.later(() => answer(value));
    });
    const there = this.other(side);
    this.later(() => this.input(there, { kind: 'call', partnerKey: side.key, token, call }));
  }

  #isLost(): boolean {
    return this.isCut || this.#random() * 100 < this.lossPercent;
  }
}

function change(id: string, partnerKey: string, lock = 'relationship/r'): Change {
  return { id, relationship: 'r', locks: [lock], partnerKey, startedAt: 1, body: { what: id } };
}

function begin(world: World, id = 't1', wins = true): void {
  world.input(world.a, { kind: 'begin', change: change(id, 'b'), wins });
}

function openOn(side: Side): string[] {
  return side.machine.open().map((open) => `${open.id} ${open.standing}`);
}

test('a change takes effect on both servers and leaves nothing behind', () => {
  const world = new World();
  begin(world);
  world.run(60_000);
  assert.deepEqual(world.a.ends.get('t1'), { kind: 'done' });
  assert.ok(world.a.inForce.has('t1') && world.b.inForce.has('t1'));
  assert.equal(world.a.disk.size + world.b.disk.size, 0);
  assert.deepEqual([...openOn(world.a), ...openOn(world.b)], []);
});

test('a partner that cannot be reached means that nothing changes, with 20122', () => {
  const world = new World();
  world.isCut = true;
  begin(world);
  world.run(60_000);
  const end = world.a.ends.get('t1');
  assert.equal(end?.kind === 'refused' && end.problem.code, 'partner/unreachable');
  assert.equal(world.a.inForce.size + world.b.inForce.size, 0);
});

/** Effects of an undisturbed run: every one is a kill point, before and after. */
function stepsOfACleanRun(): number {
  const world = new World();
  begin(world);
  world.run(60_000);
  return world.performed;
}

for (const who of ['a', 'b'] as const) {
  for (const when of ['before', 'after'] as const) {
    test(`${who === 'a' ? 'the coordinator' : 'the participant'} killed ${when} any step: both servers end the same`, () => {
      const steps = stepsOfACleanRun();
      assert.ok(steps >= 8, `only ${steps} steps seen`);
      let killed = 0;
      for (let step = 1; step <= steps; step++) {
        const world = new World();
        const victim = world[who];
        world.onEffect = (side, _effect, at) => {
          if (side !== victim || at !== when || world.performed !== step) return;
          world.onEffect = undefined;
          killed++;
          world.kill(victim);
          world.later(() => world.start(victim));
        };
        begin(world);
        world.run(120_000);
        assert.equal(world.a.inForce.has('t1'), world.b.inForce.has('t1'), `killed at step ${step}`);
        assert.deepEqual([...openOn(world.a), ...openOn(world.b)], [], `killed at step ${step}`);
        assert.equal(world.a.disk.size + world.b.disk.size, 0, `killed at step ${step}`);
      }
      assert.ok(killed >= 3, `only ${killed} kills happened`);
    });
  }
}

for (const gone of ['a', 'b'] as const) {
  test(`the ${gone === 'a' ? 'coordinator' : 'participant'} gone for good at any step: the other one is whole or shows the doubt, and a command ends it`, () => {
    const steps = stepsOfACleanRun();
    let doubts = 0;
    for (let step = 1; step <= steps; step++) {
      const world = new World();
      const victim = world[gone];
      const survivor = world.other(victim);
      world.onEffect = (side, _effect, at) => {
        if (side === victim && at === 'before' && world.performed === step) world.kill(victim);
      };
      begin(world);
      world.run(120_000);
      const shown = survivor.machine.open();
      if (shown.length > 0) {
        doubts++;
        assert.ok(survivor.machine.holderOf(['relationship/r']) !== undefined, 'a doubt keeps its lock');
        const id = shown[0]!.id;
        world.input(survivor, { kind: 'end-by-hand', id, outcome: 'commit' });
        world.run(240_000);
        assert.equal(
          survivor.machine.holderOf(['relationship/r']),
          undefined,
          `locked after the command, step ${step}`,
        );
        assert.ok(survivor.inForce.has('t1'));
      }
    }
    assert.ok(doubts > 0, 'no step left a doubt, so the command was never tried');
  });
}

test('an operator who aborts by hand what the coordinator had committed is told when both meet again', () => {
  const world = new World();
  world.onEffect = (side, effect) => {
    if (side === world.a && effect.kind === 'ask' && effect.call.method === 'commit') world.isCut = true;
  };
  begin(world);
  world.run(10_000);
  assert.deepEqual(world.a.ends.get('t1'), { kind: 'unconfirmed' });
  assert.deepEqual(openOn(world.b), ['t1 in-doubt']);
  world.input(world.b, { kind: 'end-by-hand', id: 't1', outcome: 'abort' });
  world.run(20_000);
  world.onEffect = undefined;
  world.isCut = false;
  world.run(40_000);
  assert.ok(world.a.events.includes('change/ended-differently'));
  assert.deepEqual(openOn(world.a), ['t1 unconfirmed']);
  world.input(world.a, { kind: 'end-by-hand', id: 't1', outcome: 'commit' });
  world.run(60_000);
  assert.deepEqual([...openOn(world.a), ...openOn(world.b)], []);
});

test('of two changes at once the primary’s wins and the other gets busy', () => {
  for (const order of ['ab', 'ba'] as const) {
    const world = new World();
    const starts = {
      a: () => begin(world, 't1', true),
      b: () => world.input(world.b, { kind: 'begin', change: change('t2', 'a'), wins: false }),
    };
    for (const who of order) starts[who as 'a' | 'b']();
    world.run(60_000);
    assert.deepEqual(world.a.ends.get('t1'), { kind: 'done' });
    const end = world.b.ends.get('t2');
    assert.equal(end?.kind === 'refused' && end.problem.code, 'failover/busy');
    assert.deepEqual([[...world.a.inForce], [...world.b.inForce]], [['t1'], ['t1']]);
  }
});

test('a second change of the same relationship is refused while one is open, one of another is not', () => {
  const world = new World();
  begin(world, 't1');
  begin(world, 't2');
  world.input(world.a, { kind: 'begin', change: change('t3', 'b', 'relationship/s'), wins: true });
  world.run(60_000);
  assert.equal(world.a.ends.get('t2')?.kind, 'refused');
  assert.deepEqual([world.a.ends.get('t1'), world.a.ends.get('t3')], [{ kind: 'done' }, { kind: 'done' }]);
});

test('a prepare that arrives after its change was given up is found to be aborted', () => {
  const world = new World();
  world.input(world.b, {
    kind: 'call',
    partnerKey: 'a',
    token: 99,
    call: { method: 'prepare', change: change('late', 'b') },
  });
  world.run(RESEND_EVERY_MS * 3);
  assert.deepEqual(openOn(world.b), []);
  assert.equal(world.b.inForce.size, 0);
});

test('a change is committed only by the server that prepared it', () => {
  const world = new World();
  begin(world);
  world.onEffect = (side, effect) => {
    if (side === world.a && effect.kind === 'revise') {
      world.input(world.b, { kind: 'call', partnerKey: 'stranger', token: 77, call: { method: 'commit', id: 't1' } });
      assert.ok(!world.b.inForce.has('t1'));
    }
  };
  world.run(60_000);
  assert.ok(world.b.inForce.has('t1'));
});

test('seeded worlds of loss, cuts and kills: after healing both servers hold the same changes and nothing is open', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 0, max: 60 }), (seed, lossPercent) => {
      const random = generator(seed);
      const world = new World(random, lossPercent);
      let count = 0;
      for (let round = 0; round < 6; round++) {
        const side = random() < 0.5 ? world.a : world.b;
        const id = `t${count++}`;
        world.input(side, { kind: 'begin', change: change(id, world.other(side).key), wins: side === world.a });
        if (random() < 0.5) {
          const rival = world.other(side);
          world.input(rival, { kind: 'begin', change: change(`t${count++}`, side.key), wins: rival === world.a });
        }
        world.isCut = random() < 0.2;
        if (random() < 0.5) {
          const victim = random() < 0.5 ? world.a : world.b;
          world.run(world.nowMs + Math.floor(random() * 100));
          world.kill(victim);
          world.run(world.nowMs + Math.floor(random() * 3000));
          world.start(victim);
        }
        world.run(world.nowMs + Math.floor(random() * 8000));
      }
      const healed = new Set([...world.a.ends].filter(([, end]) => end.kind === 'done').map(([id]) => id));
      world.isCut = false;
      Object.assign(world, { lossPercent: 0 });
      world.run(world.nowMs + 60_000);
      assert.deepEqual([...world.a.inForce].sort(), [...world.b.inForce].sort());
      for (const id of healed) assert.ok(world.b.inForce.has(id), 'what was reported as done is done');
      assert.deepEqual([...openOn(world.a), ...openOn(world.b)], []);
    }),
    { numRuns: 300 },
  );
});

/** A small linear congruential generator: the same seed gives the same world. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
