/** Laws of a life with dhcpd: whatever happens, it neither exits nor shuts itself down, and both come to agree (specification 2.14). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { IscLab } from './isc-lab.ts';
import { SCOPE } from './pair.ts';

const ROLES = ['primary', 'secondary'] as const;
const CLIENTS = ['c1', 'c2', 'c3', 'c4', 'c5'] as const;

type Act =
  | { readonly kind: 'lease' | 'release'; readonly at: 'us' | 'dhcpd'; readonly client: string }
  | { readonly kind: 'cut' | 'heal' | 'kill-us' | 'kill-dhcpd' | 'revive-us' | 'revive-dhcpd' | 'revive-dhcpd-lost' }
  | { readonly kind: 'we-say-down' | 'dhcpd-says-down' }
  | { readonly kind: 'wait'; readonly sec: number }
  | { readonly kind: 'deliver'; readonly toDhcpd: number; readonly toUs: number };

const side = fc.constantFrom('us' as const, 'dhcpd' as const);
const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom('lease' as const, 'lease' as const, 'release' as const),
      at: side,
      client: fc.constantFrom(...CLIENTS),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'cut',
        'heal',
        'heal',
        'kill-us',
        'kill-dhcpd',
        'revive-us',
        'revive-us',
        'revive-dhcpd',
        'revive-dhcpd',
        'revive-dhcpd-lost',
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('we-say-down' as const, 'dhcpd-says-down' as const) }) },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), sec: fc.constantFrom(1, 2, 7, 20, 70, 200) }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('deliver' as const), toDhcpd: fc.nat(9), toUs: fc.nat(9) }) },
) as fc.Arbitrary<Act>;

/** PARTNER-DOWN is only said of a partner that has stopped (P1), unless the law is about what follows from a false one. */
function perform(lab: IscLab, what: Act, maySayFalsely: boolean): void {
  switch (what.kind) {
    case 'lease':
      if (maySayFalsely || !isBackUnheard(lab, what.at)) lab.lease(what.at, what.client);
      return;
    case 'release':
      lab.release(what.at, what.client);
      return;
    case 'cut':
      lab.cut();
      return;
    case 'heal':
      lab.isCut = false;
      return;
    case 'kill-us':
      if (lab.isUp) lab.kill('us');
      return;
    case 'kill-dhcpd':
      if (lab.isDhcpdUp) lab.kill('dhcpd');
      return;
    case 'revive-us':
      lab.revive('us');
      return;
    case 'revive-dhcpd':
      lab.revive('dhcpd');
      return;
    case 'revive-dhcpd-lost':
      // Its own recovery is what makes a lost file safe; while we are alone no more than one may be lost.
      lab.revive('dhcpd', maySayFalsely);
      return;
    case 'we-say-down':
      if (lab.isUp && (maySayFalsely || !lab.isDhcpdUp)) lab.command({ kind: 'partner-down' });
      return;
    case 'dhcpd-says-down':
      if (lab.isDhcpdUp && (maySayFalsely || !lab.isUp)) lab.dhcpd.partnerDown();
      return;
    case 'wait':
      lab.advance(what.sec);
      return;
    case 'deliver':
      lab.deliver(what.toDhcpd, what.toUs);
      return;
    default:
      what satisfies never;
  }
}

/** Declared down, started again and not heard of yet: by P1 no client may reach it, though it would serve. */
function isBackUnheard(lab: IscLab, at: 'us' | 'dhcpd'): boolean {
  const [own, others] = at === 'us' ? [lab.endpoint.state, lab.dhcpd.state] : [lab.dhcpd.state, lab.record.state];
  return others === 'partner-down' && (own === 'communications-interrupted' || own === 'partner-down');
}

function story(lab: IscLab): string {
  return `${lab.states}\n${lab.log.slice(-60).join('\n')}`;
}

for (const role of ROLES)
  test(`as ${role} toward dhcpd: it never exits nor goes to SHUTDOWN, and both reach NORMAL with equal tables`, () => {
    fc.assert(
      fc.property(fc.array(act, { minLength: 1, maxLength: 60, size: 'max' }), fc.boolean(), (acts, maySayFalsely) => {
        const lab = new IscLab({ role });
        lab.start().settle().advance(2);
        for (const what of acts) {
          perform(lab, what, maySayFalsely);
          assert.equal(lab.dhcpd.ruin, undefined, story(lab));
        }
        lab.isCut = false;
        lab.revive('us');
        lab.revive('dhcpd');
        lab.advance(600);
        assert.equal(lab.dhcpd.ruin, undefined, story(lab));
        assert.equal(lab.states, 'normal / normal', story(lab));
        assert.deepEqual(lab.differences(), [], story(lab));
        if (!maySayFalsely) assert.deepEqual(lab.clashes, [], story(lab));
      }),
      { numRuns: 150 },
    );
  });

/** How a conflict that is being resolved is interrupted, and after how many messages of each direction. */
const interruption = fc.record({
  toDhcpd: fc.nat(25),
  toUs: fc.nat(25),
  how: fc.constantFrom('cut', 'cut-long', 'kill-us', 'kill-dhcpd', 'kill-both'),
  restSec: fc.constantFrom(1, 7, 20, 70),
});

function interrupt(lab: IscLab, how: string, restSec: number): void {
  if (how === 'cut' || how === 'cut-long') lab.cut();
  if (how === 'kill-us' || how === 'kill-both') lab.kill('us');
  if (how === 'kill-dhcpd' || how === 'kill-both') lab.kill('dhcpd');
  if (how === 'cut-long') lab.advance(restSec);
  lab.isCut = false;
  lab.revive('us');
  lab.revive('dhcpd');
}

for (const role of ROLES)
  test(`as ${role} toward dhcpd: a conflict that is interrupted anywhere, again and again, is resolved without its ruin`, () => {
    fc.assert(
      fc.property(
        fc.array(interruption, { minLength: 1, maxLength: 5, size: 'max' }),
        fc.boolean(),
        (acts, hasLeases) => {
          const lab = new IscLab({ role });
          lab.start().settle().advance(2);
          lab.cut();
          if (hasLeases) for (const at of ['us', 'dhcpd'] as const) lab.lease(at, `c-${at}`);
          lab.command({ kind: 'partner-down' });
          lab.dhcpd.partnerDown();
          lab.advance(1);
          lab.isCut = false;
          for (const { toDhcpd, toUs, how, restSec } of acts) {
            lab.deliver(toDhcpd, toUs);
            interrupt(lab, how, restSec);
            assert.equal(lab.dhcpd.ruin, undefined, story(lab));
          }
          lab.advance(600);
          assert.equal(lab.dhcpd.ruin, undefined, story(lab));
          assert.equal(lab.states, 'normal / normal', story(lab));
          assert.deepEqual(lab.differences(), [], story(lab));
        },
      ),
      { numRuns: 150 },
    );
  });

for (const role of ROLES)
  test(`as ${role} with dhcpd in contact: no side is without addresses for more than two minutes while the other has two`, () => {
    const step = fc.record({ at: side, count: fc.nat(6), sec: fc.constantFrom(1, 20, 61) });
    const setting = fc.record({
      poolSize: fc.integer({ min: 1, max: 24 }),
      percentage: fc.constantFrom(1, 20, 50, 80, 99),
      mode: fc.constantFrom('LoadBalance' as const, 'HotStandby' as const),
      isActive: fc.boolean(),
    });
    fc.assert(
      fc.property(setting, fc.array(step, { maxLength: 12 }), ({ poolSize, ...config }, steps) => {
        const lab = new IscLab({ role, poolSize, config });
        lab.start().settle().advance(2);
        let client = 0;
        for (const { at, count, sec } of steps) {
          for (let i = 0; i < count; i++) lab.lease(at, `c${client++ % 30}`);
          lab.settle().advance(sec);
        }
        // What dhcpd's own timer and ours bring about.
        lab.advance(130);
        const free = lab.table.counts(SCOPE);
        const [ours, theirs] = role === 'primary' ? [free.free, free.backup] : [free.backup, free.free];
        assert.ok(ours > 0 || theirs < 2, `ours ${ours}, dhcpd's ${theirs}\n${story(lab)}`);
        assert.equal(lab.states, 'normal / normal');
        if (ours === 0 && theirs > 0) return;
        // With nothing left there, this server answers for dhcpd.
        if (theirs === 0 && ours > 0)
          for (let bucket = 0; bucket < 256; bucket += 51)
            assert.ok(lab.endpoint.rights.answers(lab.now, { scopeId: SCOPE, bucket, secs: 0, unansweredMs: 0 }).yes);
      }),
      { numRuns: 100 },
    );
  });

test('2.7, 5.2 whatever two updates cross, both servers agree after at most one repair', () => {
  const cross = fc.record({
    ours: fc.constantFrom('lease-same', 'lease-other', 'renew', 'release', 'nothing'),
    theirs: fc.constantFrom('lease-same', 'lease-other', 'renew', 'release'),
    gapSec: fc.constantFrom(0, 1, 30),
  });
  fc.assert(
    fc.property(fc.constantFrom(...ROLES), cross, (role, { ours, theirs, gapSec }) => {
      const lab = new IscLab({ role, mcltSec: 100 });
      lab.start().settle().advance(2);
      const name = (what: string): string => (what === 'lease-other' ? 'other' : 'same');
      if (ours === 'renew' || theirs === 'renew' || ours === 'release' || theirs === 'release')
        lab.lease(gapSec === 1 ? 'us' : 'dhcpd', 'same');
      lab.settle().advance(gapSec);
      if (ours === 'release') lab.release('us', 'same');
      else if (ours !== 'nothing') lab.lease('us', name(ours));
      if (theirs === 'release') lab.release('dhcpd', 'same');
      else lab.lease('dhcpd', name(theirs));
      lab.settle().advance(40);
      assert.deepEqual(lab.differences(), [], story(lab));
      assert.deepEqual(lab.clashes, []);
    }),
    { numRuns: 200 },
  );
});
