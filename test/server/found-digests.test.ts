/** The way of authenticating that a Windows partner was found to use is kept with the relationship and its secret, and no longer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Relationship } from '../../src/core/config/model.ts';
import { digestRecord, foundDigest, staleDigestRecords } from '../../src/server/found-digests.ts';

const RELATIONSHIP = { id: 'id1', sharedSecretRef: 'ref1' } as Relationship;

function kept(): Map<string, ReturnType<typeof record>> {
  const made = record();
  return new Map([[made.id, made]]);
}

function record() {
  const made = digestRecord(RELATIONSHIP, 'sha256/first/zeroed/utf-8');
  assert.ok(made !== undefined);
  return made;
}

test('what was found is known again for the same relationship and secret', () => {
  assert.equal(foundDigest(kept(), RELATIONSHIP), 'sha256/first/zeroed/utf-8');
  assert.equal(foundDigest(kept(), { ...RELATIONSHIP, sharedSecretRef: 'ref2' }), undefined);
  assert.equal(foundDigest(kept(), { ...RELATIONSHIP, id: 'id2' }), undefined);
  assert.equal(foundDigest(new Map(), RELATIONSHIP), undefined);
});

test('nothing is kept without a secret', () => {
  assert.equal(digestRecord({ ...RELATIONSHIP, sharedSecretRef: null }, 'any'), undefined);
});

test('what belongs to a relationship that is no more is forgotten', () => {
  assert.deepEqual(staleDigestRecords(kept(), [RELATIONSHIP]), []);
  assert.deepEqual(staleDigestRecords(kept(), []), [{ id: record().id, state: 'forgotten', body: '' }]);
});
