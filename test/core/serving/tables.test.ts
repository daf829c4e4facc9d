/** The two bounded tables of serving by themselves: open offers, and clients without an answer. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { makeOffers } from '../../../src/core/serving/offers.ts';
import { makeUnanswered, UNANSWERED_GAP_MS } from '../../../src/core/serving/unanswered.ts';
import { type Ip4, ip4, type MonoMs } from '../../../src/wire/units.ts';

const ms = (n: number): MonoMs => n as MonoMs;
const SCOPE = ip4(0x0a000000);
const offer = (n: number, client = `c${n}`, untilMs = 1000) => ({
  address: ip4(SCOPE + n) as Ip4,
  scopeId: SCOPE,
  client,
  link: 'l',
  untilMs,
});

describe('open offers', () => {
  it('never exceed their number: the oldest give way', () => {
    const offers = makeOffers(10);
    for (let n = 1; n <= 100; n++) offers.hold(offer(n));
    assert.equal(offers.size <= 10, true);
    assert.equal(offers.has(offer(100).address), true);
    assert.equal(offers.pending(SCOPE), offers.size);
  });
  it('are one for each client and link', () => {
    const offers = makeOffers();
    offers.hold(offer(1, 'c'));
    offers.hold(offer(2, 'c'));
    assert.equal(offers.has(offer(1).address), false);
    assert.equal(offers.of(ms(0), 'c', 'l')?.address, offer(2).address);
    assert.equal(offers.of(ms(0), 'c', 'other'), undefined);
  });
  it('are one for each address', () => {
    const offers = makeOffers();
    offers.hold(offer(1, 'a'));
    offers.hold(offer(1, 'b'));
    assert.equal(offers.of(ms(0), 'a', 'l'), undefined);
    assert.equal(offers.holderOf(ms(0), offer(1).address), 'b');
    assert.equal(offers.pending(SCOPE), 1);
  });
  it('end by time, before the timer comes', () => {
    const offers = makeOffers();
    offers.hold(offer(1, 'a', 500));
    assert.equal(offers.holderOf(ms(499), offer(1).address), 'a');
    assert.equal(offers.holderOf(ms(500), offer(1).address), undefined);
    assert.equal(offers.of(ms(500), 'a', 'l'), undefined);
    offers.expire(ms(500));
    assert.equal(offers.size, 0);
  });
});

describe('clients without an answer', () => {
  const client = Uint8Array.of(1, 2, 3);
  it('are counted from their first question', () => {
    const unanswered = makeUnanswered();
    assert.equal(unanswered.asked(ms(100), client), 0);
    assert.equal(unanswered.asked(ms(3100), client), 3000);
    unanswered.answered(client);
    assert.equal(unanswered.asked(ms(4000), client), 0);
  });
  it('begin anew after a long silence', () => {
    const unanswered = makeUnanswered();
    unanswered.asked(ms(0), client);
    assert.equal(unanswered.asked(ms(UNANSWERED_GAP_MS + 1), client), 0);
  });
  it('are forgotten, the longest silent first, when there are too many', () => {
    const unanswered = makeUnanswered(4);
    for (let n = 0; n < 5; n++) unanswered.asked(ms(n), Uint8Array.of(n));
    assert.equal(unanswered.asked(ms(10), Uint8Array.of(4)), 6);
    assert.equal(unanswered.asked(ms(10), Uint8Array.of(0)), 0);
  });
  it('an answer to a client that was never noted is nothing', () => {
    const unanswered = makeUnanswered();
    unanswered.answered(client);
    assert.equal(unanswered.asked(ms(5), client), 0);
  });
});
