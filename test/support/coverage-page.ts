/**
 * The manual's page of which test covers which clause of the failover specification; `npm run docs` writes it and a test
 * compares it. Tests are found by the names that the compiled files give them.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CLAUSE_TABLES } from '../clauses/all.ts';
import { type Clause, type ClauseTable, idsIn } from '../clauses/clause.ts';
import { ELSEWHERE } from '../clauses/elsewhere.ts';
import type { NamedTests } from './test-names.ts';

const OUT = join(dirname(fileURLToPath(import.meta.url)), '..');
/** Compiled folders and files whose tests may cover a clause. */
const PLACES = ['core', 'wire', 'talks', 'server', 'net', 'manage', 'e2e/flush-order.test.js'];
/** Tests named in one row; more are only counted. */
const SHOWN_MAX = 2;
const NAMES_BYTES_MAX = 1 << 26;

export interface Covering {
  /** Source of the test, from the root of the project. */
  readonly source: string;
  readonly name: string;
}

export interface Coverage {
  readonly tables: readonly ClauseTable[];
  readonly byId: ReadonlyMap<string, readonly Covering[]>;
  /** Ids in names of tests that are no clause, and names in `elsewhere.ts` that are no test. */
  readonly unknown: readonly string[];
}

export function coverage(): Coverage {
  const known = new Set(CLAUSE_TABLES.flatMap((table) => table.clauses.map((clause) => clause.id)));
  const byId = new Map<string, Covering[]>();
  const unknown: string[] = [];
  const cover = (id: string, covering: Covering): void => {
    if (!known.has(id)) unknown.push(`${covering.source}: [${id}]`);
    else byId.set(id, [...(byId.get(id) ?? []), covering]);
  };
  const byName = new Map<string, Covering>();
  for (const { source, names } of namedTests())
    for (const whole of names) {
      const { ids, name } = idsIn(whole);
      byName.set(`${source}: ${whole}`, { source, name });
      for (const id of ids) cover(id, { source, name });
    }
  for (const [id, tests] of Object.entries(ELSEWHERE))
    for (const test of tests) {
      const covering = byName.get(test);
      if (covering === undefined) unknown.push(`elsewhere.ts: no test "${test}"`);
      else cover(id, covering);
    }
  return { tables: CLAUSE_TABLES, byId, unknown };
}

function namedTests(): { readonly source: string; readonly names: readonly string[] }[] {
  const files = PLACES.flatMap((place) => testFiles(join(OUT, place)));
  const script = join(OUT, 'support', 'test-names.js');
  const text = execFileSync(process.execPath, [script, ...files], { encoding: 'utf8', maxBuffer: NAMES_BYTES_MAX });
  return (JSON.parse(text) as NamedTests[])
    .map(({ file, names }) => ({
      source: join('test', relative(OUT, file)).replace(/\.js$/, '.ts'),
      names,
    }))
    .filter(({ source }) => existsSync(source));
}

function testFiles(path: string): string[] {
  if (!statSync(path).isDirectory()) return path.endsWith('.test.js') ? [path] : [];
  return readdirSync(path)
    .sort()
    .flatMap((name) => testFiles(join(path, name)));
}

export function coveragePage({ tables, byId }: Coverage): string {
  const clauses = tables.flatMap((table) => table.clauses);
  const covered = clauses.filter((clause) => byId.has(clause.id));
  const tests = new Set([...byId.values()].flat().map(({ source, name }) => `${source} ${name}`));
  const otherwise = clauses.filter((clause) => clause.instead !== undefined);
  const lines = [
    '# The failover specification, clause by clause',
    '',
    'Made from `test/clauses` and the names of the tests by `npm run docs`; do not edit. Sections are those of the failover',
    'specification; rows that begin with D are demands of draft-ietf-dhc-failover-12 that its tables do not have. Where a clause',
    'is knowingly not followed between two Twinlease servers, the row says what is done *instead*, and its test shows that. A test',
    'in the project fails when a row has none, or when this page is not what the code says.',
    '',
    `${covered.length} of ${clauses.length} rows are covered, by ${tests.size} tests; ${otherwise.length} rows are followed otherwise.`,
    '',
    'Sections 2.1 to 2.13 describe ISC dhcpd and demand nothing of us; what follows from them is 2.14. Section 7, the invariants, is',
    'checked by the simulator (`src/sim`). Section 9, the golden messages, is `test/wire/failover/captures.test.ts`.',
    '',
  ];
  for (const table of tables) lines.push(...tableLines(table, byId));
  return `${lines.join('\n').trimEnd()}\n`;
}

function tableLines(table: ClauseTable, byId: Coverage['byId']): string[] {
  return [
    `## ${table.section} ${table.title}`,
    '',
    '| row | rule | test |',
    '|---|---|---|',
    ...table.clauses.map(
      (clause) => `| ${rowName(clause, table)} | ${ruleText(clause)} | ${testText(byId.get(clause.id))} |`,
    ),
    '',
  ];
}

function rowName(clause: Clause, table: ClauseTable): string {
  return cell(clause.id.slice(table.section.length + 1));
}

function ruleText({ rule, instead }: Clause): string {
  return cell(instead === undefined ? rule : `${rule}. *Instead:* ${instead}`);
}

function testText(found: readonly Covering[] | undefined): string {
  if (found === undefined) return '**none**';
  const shown = found
    .slice(0, SHOWN_MAX)
    .map(({ source, name }) => `[${fileName(source)}](../${source}): ${cell(name)}`);
  const more = found.length > SHOWN_MAX ? `; and ${found.length - SHOWN_MAX} more` : '';
  return shown.join('<br>') + more;
}

function fileName(source: string): string {
  return source.slice(source.lastIndexOf('/') + 1).replace(/\.test\.ts$/, '');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
