/** Every clause of the failover specification has a test, and the page that says which is up to date. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { CLAUSE_TABLES } from '../clauses/all.ts';
import { coverage, coveragePage } from '../support/coverage-page.ts';

const found = coverage();

test('no clause of the failover specification is without a test', () => {
  const clauses = CLAUSE_TABLES.flatMap((table) => table.clauses);
  assert.ok(clauses.length > 500);
  assert.deepEqual(
    clauses.filter((clause) => !found.byId.has(clause.id)).map((clause) => `${clause.id}: ${clause.rule}`),
    [],
  );
});

test('no clause is listed twice, and every clause that a test names is listed', () => {
  const ids = CLAUSE_TABLES.flatMap((table) => table.clauses.map((clause) => clause.id));
  assert.deepEqual(
    ids.filter((id, index) => ids.indexOf(id) !== index),
    [],
  );
  assert.deepEqual(found.unknown, []);
});

test('docs/failover-coverage.md is what the tests say (npm run docs)', () => {
  assert.equal(readFileSync(join(process.cwd(), 'docs', 'failover-coverage.md'), 'utf8'), coveragePage(found));
});
