import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { AUDIT_FILES_KEPT, AuditLog } from '../../src/server/audit-log.ts';
import { scratch } from './live.ts';

test('entries are lines of JSON in a private file', (t) => {
  const path = join(scratch(t), 'audit.log');
  const log = new AuditLog(path);
  log.append({ a: 1 });
  log.append({ b: 'two' });
  assert.equal(readFileSync(path, 'utf8'), '{"a":1}\n{"b":"two"}\n');
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test('a file that has grown is put aside, and only so many are kept', (t) => {
  const directory = scratch(t);
  const log = new AuditLog(join(directory, 'audit.log'), 10);
  for (let entry = 1; entry <= AUDIT_FILES_KEPT + 3; entry++) log.append({ entry });
  assert.equal(readdirSync(directory).length, AUDIT_FILES_KEPT);
  assert.match(readFileSync(join(directory, 'audit.log.1'), 'utf8'), new RegExp(`"entry":${AUDIT_FILES_KEPT + 3}`));
  log.append({});
  assert.equal(readFileSync(join(directory, 'audit.log'), 'utf8'), '{}\n');
});
