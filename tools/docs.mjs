// `npm run docs`: writes the pages of the manual that are made from the code.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, root, setup } from './setup.mjs';

setup();
build();
const { errorsPage } = await import(join(root, 'dist', 'test', 'support', 'errors-page.js'));
writeFileSync(join(root, 'docs', 'errors.md'), errorsPage());
console.log('docs/errors.md');
