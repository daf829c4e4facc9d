import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { utcText } from '../../../src/core/config/utc-text.ts';
import type { EpochSec } from '../../../src/wire/units.ts';

test('an instant is shown as the calendar of the system shows it, over all 32 bits', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xffffffff }), (at) => {
      const expected = `${new Date(at * 1000).toISOString().slice(0, 19).replace('T', ' ')}Z`;
      assert.equal(utcText(at as EpochSec), expected);
    }),
    { examples: [[0], [951_782_400], [951_868_800], [0xffffffff]] },
  );
});
