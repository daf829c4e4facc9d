/**
 * The registry describes every operation well enough for doors that know none by themselves.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { z } from 'zod';
import { isProblemCode } from '../../src/core/problems/catalogue.ts';
import { OPERATIONS, operationByName } from '../../src/manage/registry.ts';

test('names are unique, dotted kebab case, and found again', () => {
  assert.ok(OPERATIONS.length > 60);
  assert.equal(new Set(OPERATIONS.map((one) => one.name)).size, OPERATIONS.length);
  for (const operation of OPERATIONS) {
    assert.match(operation.name, /^[a-z]+(-[a-z]+)*(\.[a-z]+(-[a-z]+)*)?$/);
    assert.equal(operationByName(operation.name), operation);
    assert.match(operation.summary, /^[A-Z].*\.$/);
    assert.ok(operation.examples.length > 0);
  }
});

test('each method of Windows stands behind one operation', () => {
  const methods = OPERATIONS.map((one) => one.windows).filter((one) => one !== undefined);
  assert.equal(new Set(methods).size, methods.length);
  for (const method of ['AddByHotStandby', 'AddByLoadBalance', 'GetByName', 'GetByScopeId', 'Remove', 'Set']) {
    assert.ok(methods.includes(`PS_DhcpServerv4Failover.${method}`), method);
  }
  for (const method of [
    'FailoverScope.Add',
    'FailoverScope.Remove',
    'FailoverReplication.InvokeByName',
    'FailoverReplication.InvokeByScopeId',
  ]) {
    assert.ok(methods.includes(`PS_DhcpServerv4${method}`), method);
  }
});

test('parameters and results have a JSON Schema with Windows’s names, and every operation takes ComputerName', () => {
  for (const operation of OPERATIONS) {
    const schema = z.toJSONSchema(operation.params, { io: 'input' }) as { properties?: Record<string, unknown> };
    const names = Object.keys(schema.properties ?? {});
    assert.ok(names.includes('ComputerName'), operation.name);
    for (const name of names) assert.match(name, /^[A-Z][A-Za-z]+$/, `${operation.name} ${name}`);
    assert.ok(typeof z.toJSONSchema(operation.result) === 'object');
  }
});

/** Problem codes as they stand in the sources: first argument of `problem(...)`, or the member `code`. */
const CODE = /(?:code: |bad\(|problem\([A-Za-z.]+, )'([a-z]+\/[a-z-]+)'/g;

test('every problem that the operations and the rules name is in the catalogue', () => {
  const found = new Set<string>();
  for (const folder of ['src/manage', 'src/core/change', 'src/core/problems']) {
    for (const name of readdirSync(join(process.cwd(), folder))) {
      const text = readFileSync(join(process.cwd(), folder, name), 'utf8');
      for (const match of text.matchAll(CODE)) found.add(match[1]!);
    }
  }
  assert.ok(found.size > 30, `only ${found.size} codes were found`);
  assert.deepEqual(
    [...found].filter((code) => !isProblemCode(code)),
    [],
  );
});
