/** Tokens and secrets: made once, private, and refused when others could have read or changed them. */
import assert from 'node:assert/strict';
import { chmodSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readPrivateText, Secrets, tokenAt, writePrivateText } from '../../src/server/private-files.ts';
import { scratch } from './live.ts';

test('a token is made on first use, kept, and private', async (t) => {
  const path = join(scratch(t), 'deep', 'rest-token');
  const token = await tokenAt(path);
  assert.match(token, /^[A-Za-z0-9_-]{43}$/);
  assert.equal(await tokenAt(path), token);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.notEqual(await tokenAt(join(scratch(t), 'rest-token')), token);
});

test('a token that an administrator wrote is taken without its line end; an empty file is filled', async (t) => {
  const path = join(scratch(t), 'rest-token');
  await writePrivateText(path, 'chosen by hand\n');
  assert.equal(await tokenAt(path), 'chosen by hand');
  await writePrivateText(path, '\n');
  assert.match(await tokenAt(path), /^[A-Za-z0-9_-]{43}$/);
});

test('a file that others can read, and a symbolic link, are refused with words', async (t) => {
  const directory = scratch(t);
  const path = join(directory, 'token');
  writeFileSync(path, 'secret', { mode: 0o600 });
  chmodSync(path, 0o640);
  await assert.rejects(tokenAt(path), /mode 0640, so others can read it/);
  const link = join(directory, 'link');
  symlinkSync(path, link);
  await assert.rejects(readPrivateText(link), /symbolic link/);
});

test('an absent file is undefined, and writing leaves no half-written one behind', async (t) => {
  const directory = scratch(t);
  assert.equal(await readPrivateText(join(directory, 'none')), undefined);
  await writePrivateText(join(directory, 'one'), 'first');
  await writePrivateText(join(directory, 'one'), 'second');
  assert.equal(await readPrivateText(join(directory, 'one')), 'second');
  assert.deepEqual(readdirSync(directory), ['one']);
});

test('secrets are found by reference over a restart, and references say nothing of them', async (t) => {
  const directory = scratch(t);
  const secrets = await Secrets.open(directory);
  const [first, second] = [await secrets.put('hunter2'), await secrets.put('hunter2')];
  assert.notEqual(first, second, 'the same secret twice has two references');
  assert.match(first, /^[0-9a-f]{16}$/);
  const again = await Secrets.open(directory);
  assert.deepEqual([again.has(first), again.get(second), again.get('unknown')], [true, 'hunter2', undefined]);
  assert.equal(statSync(join(directory, 'secrets.json')).mode & 0o777, 0o600);
});

test('secrets that are put at the same time are all durable', async (t) => {
  const directory = scratch(t);
  const secrets = await Secrets.open(directory);
  const refs = await Promise.all(Array.from({ length: 20 }, (_, n) => secrets.put(`secret ${n}`)));
  const again = await Secrets.open(directory);
  assert.deepEqual(
    refs.map((ref) => again.get(ref)),
    refs.map((_, n) => `secret ${n}`),
  );
  assert.equal(Object.keys(JSON.parse(readFileSync(join(directory, 'secrets.json'), 'utf8')) as object).length, 20);
});
