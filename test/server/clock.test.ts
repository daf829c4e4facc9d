/** The wall clock of a server: slewing, steps, doubt at the start, and who may settle a doubt (design, part 2). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CLOCK_GAP_MAX_SEC, CLOCK_STEP_SEC, WallClock } from '../../src/server/clock.ts';
import type { EpochSec } from '../../src/wire/units.ts';

const START_SEC = 1_800_000_000;

/** Two clocks turned by hand. */
class Hands {
  mono = 1000;
  system = START_SEC * 1000;
  readonly clock: WallClock;

  constructor() {
    this.clock = new WallClock({ monoMs: () => this.mono, systemMs: () => this.system });
  }

  /** So many seconds pass on both, and the server looks each second. */
  pass(sec: number): void {
    for (let i = 0; i < sec; i++) {
      this.mono += 1000;
      this.system += 1000;
      this.clock.follow();
    }
  }

  get wallAt(): number {
    return this.clock.now().wallAt;
  }

  /** The system's clock is set forward or back. */
  step(sec: number): void {
    this.system += sec * 1000;
    this.clock.follow();
  }
}

function at(sec: number): EpochSec {
  return sec as EpochSec;
}

test('drift is followed by slewing, at most a twentieth of the time passed', () => {
  const hands = new Hands();
  hands.system += 4000;
  hands.pass(1);
  assert.equal(hands.wallAt, START_SEC + 1, '50 ms were made up, which is no second yet');
  hands.pass(79);
  assert.equal(hands.wallAt, START_SEC + 84, '80 s make up 4 s');
  assert.equal(hands.clock.doubt, undefined);
});

test('wall time never runs backward, however the system’s clock is moved', () => {
  const moves = fc.array(fc.record({ passMs: fc.nat(5000), stepMs: fc.integer({ min: -20_000, max: 20_000 }) }), {
    minLength: 1,
    maxLength: 60,
  });
  fc.assert(
    fc.property(moves, (all) => {
      const hands = new Hands();
      let last = hands.wallAt;
      for (const { passMs, stepMs } of all) {
        hands.mono += passMs;
        hands.system += passMs + stepMs;
        hands.clock.follow();
        assert.ok(hands.wallAt >= last);
        last = hands.wallAt;
      }
    }),
  );
});

for (const by of [CLOCK_STEP_SEC + 1, -CLOCK_STEP_SEC - 1, 86_400, -86_400]) {
  test(`a step of ${by} s is not followed and puts the clock in doubt`, () => {
    const hands = new Hands();
    hands.step(by);
    assert.deepEqual(hands.clock.doubt, { kind: 'stepped', bySec: by });
    hands.pass(10);
    assert.equal(hands.wallAt, START_SEC + 10);
  });
}

test('a step of exactly the limit is still drift', () => {
  const hands = new Hands();
  hands.step(CLOCK_STEP_SEC);
  assert.equal(hands.clock.doubt, undefined);
});

test('a step that is taken back ends its own doubt', () => {
  const hands = new Hands();
  hands.step(3600);
  hands.step(-3600);
  assert.equal(hands.clock.doubt, undefined);
});

test('a partner that agrees with the system’s clock after a step lets it be followed at once', () => {
  const hands = new Hands();
  hands.step(7200);
  hands.clock.hearPartner(at(START_SEC + 7200 - CLOCK_STEP_SEC));
  assert.equal(hands.clock.doubt, undefined);
  assert.equal(hands.wallAt, START_SEC + 7200);
  hands.pass(5);
  assert.equal(hands.clock.doubt, undefined, 'the step is over');
});

test('a partner that says that the step is wrong does not settle it: the system’s clock still has to be put right', () => {
  const hands = new Hands();
  hands.step(7200);
  hands.clock.hearPartner(at(START_SEC));
  assert.equal(hands.clock.doubt?.kind, 'stepped');
  assert.equal(hands.wallAt, START_SEC);
  hands.clock.hearPartner(at(START_SEC + 3600));
  assert.equal(hands.clock.doubt?.kind, 'stepped', 'a third opinion settles nothing');
});

test('a start before the newest durable time is in doubt until a partner confirms the clock', () => {
  const hands = new Hands();
  hands.clock.checkAgainst(at(START_SEC + 600));
  assert.deepEqual(hands.clock.doubt, { kind: 'behind-store', bySec: 600 });
  hands.pass(5);
  assert.equal(hands.clock.doubt?.kind, 'behind-store', 'time alone does not settle it');
  hands.clock.hearPartner(at(START_SEC + 600));
  assert.equal(hands.clock.doubt?.kind, 'behind-store', 'a partner of another opinion does not either');
  hands.clock.hearPartner(at(START_SEC + 5));
  assert.equal(hands.clock.doubt, undefined);
});

test('a clock that was wrong at the start and is put right is adopted when a partner confirms it', () => {
  const hands = new Hands();
  hands.clock.checkAgainst(at(START_SEC + 600));
  hands.step(610);
  assert.equal(hands.clock.doubt?.kind, 'behind-store', 'the first doubt is the one that is shown');
  hands.clock.hearPartner(at(START_SEC + 610));
  assert.equal(hands.clock.doubt, undefined);
  assert.equal(hands.wallAt, START_SEC + 610);
});

test('a long gap since the newest durable time is in doubt; the gap just allowed and a new store are not', () => {
  const within = new Hands();
  within.clock.checkAgainst(at(START_SEC - CLOCK_GAP_MAX_SEC));
  assert.equal(within.clock.doubt, undefined);
  const beyond = new Hands();
  beyond.clock.checkAgainst(at(START_SEC - CLOCK_GAP_MAX_SEC - 1));
  assert.equal(beyond.clock.doubt?.kind, 'long-gap');
  const fresh = new Hands();
  fresh.clock.checkAgainst(at(0));
  assert.equal(fresh.clock.doubt, undefined);
});

test('an operator’s word ends every doubt and takes the system’s clock', () => {
  const hands = new Hands();
  hands.step(-4000);
  hands.clock.adopt();
  assert.equal(hands.clock.doubt, undefined);
  assert.equal(hands.wallAt, START_SEC - 4000);
});

test('the wall clock is good past 2038 and to the end of 32 bits', () => {
  const hands = new Hands();
  hands.step(0xffff_ffff - START_SEC - 1);
  hands.clock.adopt();
  assert.equal(hands.wallAt, 0xffff_fffe);
});
