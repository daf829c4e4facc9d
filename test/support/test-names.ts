/**
 * Tells the names of all tests of some compiled test files without running them: `node:test` is replaced by a stand-in that only
 * writes names down, so that tests made in loops count one by one. Run as a program with the files as arguments; prints JSON.
 */
import { register } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';

export interface NamedTests {
  readonly file: string;
  readonly names: readonly string[];
}

declare global {
  var testNames: string[] | undefined;
}

/** In place of `node:test`. Every test file is loaded once, so what it exports need not work. */
const STAND_IN = `
const test = (name) => { globalThis.testNames.push(typeof name === 'string' ? name : ''); };
test.skip = test; test.todo = test; test.only = test; test.test = test; test.it = test;
const describe = (name, ...rest) => rest.find((one) => typeof one === 'function')?.();
const nothing = () => {};
export { test, test as it, describe, describe as suite, nothing as before, nothing as after, nothing as beforeEach, nothing as afterEach };
export const mock = {};
export default test;
`;
const STAND_IN_URL = `data:text/javascript,${encodeURIComponent(STAND_IN)}`;
const HOOKS = `export const resolve = (specifier, context, next) =>
  specifier === 'node:test' ? { url: ${JSON.stringify(STAND_IN_URL)}, shortCircuit: true } : next(specifier, context);`;

async function main(files: readonly string[]): Promise<void> {
  register(`data:text/javascript,${encodeURIComponent(HOOKS)}`);
  const found: NamedTests[] = [];
  for (const file of files) {
    globalThis.testNames = [];
    await import(pathToFileURL(file).href);
    found.push({ file, names: globalThis.testNames });
  }
  process.stdout.write(JSON.stringify(found), () => process.exit(0));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2));
