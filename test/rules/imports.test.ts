/**
 * Who may import whom (design, part 1), read from the sources so that imports of types count too. `core` and `wire` are pure:
 * they import no module of Node's, and only zod from outside. No file takes part in a cycle.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import test from 'node:test';

const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  wire: [],
  core: ['wire'],
  store: ['core', 'wire'],
  net: ['core', 'wire'],
  server: ['core', 'wire', 'store', 'net'],
  import: ['core', 'wire'],
  manage: ['core', 'wire', 'server', 'import'],
  front: ['manage', 'core', 'wire', 'server', 'import'],
  sim: ['core', 'wire'],
};
/** Of `server`, the operations and the doors see only what it offers. */
const SERVER_OFFERS = 'server/control.ts';
/** Of `core`, the doors see only the catalogue and the words of the model. */
const FRONT_SEES_OF_CORE = ['core/problems/', 'core/config/model.ts', 'core/failover/endpoint-types.ts'];
const PURE_PACKAGES = ['zod'];
/** Clocks, timers, randomness, promises, and the process itself. */
const IMPURE = [
  /Date\.now/,
  /new Date\(/,
  /Math\.random/,
  /set(Timeout|Interval|Immediate)/,
  /\bawait /,
  /new Promise/,
  /\bprocess\.[a-z]/,
  /\bperformance\./,
];

const src = join(process.cwd(), 'src');
const imports = new Map<string, string[]>();
const packages = new Map<string, string[]>();
for (const file of sources(src)) {
  const name = relative(src, file);
  const specifiers = [...readFileSync(file, 'utf8').matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(
    (match) => match[1] ?? '',
  );
  imports.set(
    name,
    specifiers.filter((s) => s.startsWith('.')).map((s) => relative(src, resolve(dirname(file), s))),
  );
  packages.set(
    name,
    specifiers.filter((s) => !s.startsWith('.')),
  );
}

test('the check sees the modules', () => {
  assert.ok(imports.size > 60, `${imports.size} modules`);
});

test('each part imports only the parts it may', () => {
  const wrong: string[] = [];
  for (const [file, targets] of imports) {
    const part = file.split('/')[0] ?? '';
    const allowed = MAY_IMPORT[part];
    if (allowed === undefined) continue;
    for (const target of targets) {
      const other = target.split('/')[0] ?? '';
      if (other === part) continue;
      if (!allowed.includes(other)) wrong.push(`${file} imports ${target}`);
      if ((part === 'manage' || part === 'front') && other === 'server' && target !== SERVER_OFFERS)
        wrong.push(`${file} imports ${target}`);
      if (part === 'front' && other === 'core' && !FRONT_SEES_OF_CORE.some((seen) => target.startsWith(seen)))
        wrong.push(`${file} imports ${target}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('core and wire import no module of Node and no package but the pure ones', () => {
  const wrong: string[] = [];
  for (const [file, names] of packages) {
    if (!/^(core|wire|sim)\//.test(file)) continue;
    for (const name of names) if (!PURE_PACKAGES.includes(name)) wrong.push(`${file} imports ${name}`);
  }
  assert.deepEqual(wrong, []);
});

test('core and wire use no clock, timer, random number or promise', () => {
  const wrong: string[] = [];
  for (const file of imports.keys()) {
    if (!/^(core|wire)\//.test(file)) continue;
    const text = readFileSync(join(src, file), 'utf8');
    for (const word of IMPURE) if (word.test(text)) wrong.push(`${file} has ${word}`);
  }
  assert.deepEqual(wrong, []);
});

test('no imports in a circle', () => {
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): void => {
    const at = path.indexOf(file);
    assert.ok(at < 0, `circle: ${[...path.slice(at), file].join(' -> ')}`);
    if (done.has(file)) return;
    path.push(file);
    for (const target of imports.get(file) ?? []) if (imports.has(target)) visit(target);
    path.pop();
    done.add(file);
  };
  for (const file of imports.keys()) visit(file);
});

function sources(directory: string): string[] {
  return readdirSync(directory).flatMap((name) => {
    const path = join(directory, name);
    if (statSync(path).isDirectory()) return sources(path);
    return name.endsWith('.ts') ? [path] : [];
  });
}
