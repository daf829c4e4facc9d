// `npm run docs`: writes the pages of the manual that are made from the code.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, root, setup } from './setup.mjs';

setup();
build();
const { errorsPage } = await import(join(root, 'dist', 'test', 'support', 'errors-page.js'));
writeFileSync(join(root, 'docs', 'errors.md'), errorsPage());
console.log('docs/errors.md');
const { coverage, coveragePage } = await import(join(root, 'dist', 'test', 'support', 'coverage-page.js'));
const found = coverage();
writeFileSync(join(root, 'docs', 'failover-coverage.md'), coveragePage(found));
const missing = found.tables.flatMap((table) => table.clauses).filter((clause) => !found.byId.has(clause.id));
console.log(`docs/failover-coverage.md, ${missing.length} clauses without a test`);
