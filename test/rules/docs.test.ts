/** The manual must not fall behind: pages made from the code are compared with it, and links must lead somewhere. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { errorsPage } from '../support/errors-page.ts';

test('docs/errors.md is what the catalogue says (npm run docs)', () => {
  assert.equal(readFileSync(join(process.cwd(), 'docs', 'errors.md'), 'utf8'), errorsPage());
});

test('every link of the manual to a file leads to one', () => {
  const pages = ['README.md', 'CONTRIBUTING.md', ...readdirSync('docs').map((name) => join('docs', name))].filter(
    (page) => page.endsWith('.md'),
  );
  assert.ok(pages.length > 5);
  const broken: string[] = [];
  for (const page of pages) {
    for (const match of readFileSync(page, 'utf8').matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)) {
      const target = match[1] ?? '';
      if (/^[a-z]+:/.test(target)) continue;
      if (!existsSync(join(page, '..', target))) broken.push(`${page}: ${target}`);
    }
  }
  assert.deepEqual(broken, []);
});
