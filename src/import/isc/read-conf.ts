/**
 * Reads a dhcpd.conf (ISC dhcpd 4.x) into an import plan. Every statement of the file and of those that it includes has a line in the
 * report; text from outside never throws.
 */
import type { OptionDefinition, OptionValue, Scope } from '../../core/config/model.ts';
import type { ImportedSettings, ImportPlan, ReportLine } from '../plan.ts';
import { emitClasses } from './classes.ts';
import { declare } from './declarations.ts';
import { parameter, settle } from './effective.ts';
import { emitOptions, withoutRepeats } from './emit.ts';
import { chainOf, type Declared } from './model.ts';
import { DHCP_SPACE, definitionType } from './option-types.ts';
import { makePeers } from './peers.ts';
import { Report } from './report.ts';
import { makeReservations } from './reservations.ts';
import { draftScopes, type ScopeDraft, seconds } from './scopes.ts';
import { expandIncludes, parseStatements, type ReadInclude } from './statements.ts';

export type ReadConf =
  | { readonly kind: 'ok'; readonly plan: ImportPlan }
  | { readonly kind: 'bad'; readonly why: string; readonly line: number };

export interface ReadConfOptions {
  /** Name of the file, for the report. */
  readonly file: string;
  /** Without it nothing is included, and the report says so. */
  readonly readInclude?: ReadInclude;
}

export async function readDhcpdConf(text: string, options: ReadConfOptions): Promise<ReadConf> {
  const parsed = parseStatements(text, options.file);
  if (parsed.kind === 'bad') return parsed;
  const expansion = await expandIncludes(parsed.statements, options.readInclude);
  if (expansion.kind === 'bad') {
    const { why, line, file } = expansion;
    return { kind: 'bad', why: file === undefined ? why : `${why} (in ${file}, which is included)`, line };
  }
  const { statements, includes } = expansion.expanded;
  const report = new Report();
  const declared = declare(statements, includes, report);
  const plan = planOf(declared, report);
  const general = generalLines(declared, options.file);
  return { kind: 'ok', plan: { ...plan, report: [...general, ...report.lines(statements)] } };
}

function planOf(declared: Declared, report: Report): Omit<ImportPlan, 'report'> {
  const drafts = draftScopes(declared, report);
  const classes = emitClasses(declared, drafts, report);
  const reservations = makeReservations(declared, drafts, report);
  const peers = makePeers(declared, drafts, report);
  const scopes: Scope[] = drafts.map(({ scope, scopeId }) => ({
    ...scope,
    reservations: reservations.get(scopeId) ?? [],
    options: withoutRepeats([...scope.options, ...(classes.byScope.get(scopeId) ?? [])]),
  }));
  const server = serverSettings(declared, drafts, classes.server, report);
  return {
    source: 'isc-dhcpd',
    server: {
      ...server,
      ...(peers.loadBalanceMaxSec === undefined ? {} : { loadBalanceMaxSec: peers.loadBalanceMaxSec }),
    },
    optionDefinitions: definitionsOf(
      declared,
      [server.options ?? [], ...scopes.map((scope) => scope.options)].flat(),
      report,
    ),
    scopes,
    relationships: peers.relationships,
  };
}

function serverSettings(
  declared: Declared,
  drafts: readonly ScopeDraft[],
  ofClasses: readonly OptionValue[],
  report: Report,
): ImportedSettings {
  const { global } = declared;
  const chain = [global];
  const own = emitOptions({ declared, report, chain, inner: new Set(chain), where: 'the server' });
  const options = withoutRepeats([...own, ...ofClasses]);
  const hold = seconds(settle(chain), 'abandon-lease-time');
  for (const { statement } of hold?.value.sources ?? [])
    report.carried(statement, 'how long an address is kept aside that a client declined');
  return {
    ...(options.length === 0 ? {} : { options }),
    authoritative: isAuthoritative(declared, drafts, report),
    ...(hold === undefined ? {} : { declineHoldSec: hold.sec }),
  };
}

/** dhcpd decides it for each network, and is not authoritative unless told; here it holds for the server. */
function isAuthoritative({ global }: Declared, drafts: readonly ScopeDraft[], report: Report): boolean {
  const globally = parameter(settle([global]), 'authoritative');
  const each = drafts.map(({ subnet }) => parameter(settle(chainOf(subnet.level)), 'authoritative'));
  const isAll = each.length > 0 ? each.every((value) => value?.text === 'true') : globally?.text === 'true';
  for (const value of [globally, ...each]) {
    for (const { statement } of value?.sources ?? []) {
      if ((value?.text === 'true') === isAll)
        report.carried(statement, `the server is ${isAll ? '' : 'not '}authoritative`);
      else
        report.notCarried(
          statement,
          `it holds for the whole server, which is ${isAll ? '' : 'not '}authoritative because the networks differ`,
          'Decide it for all networks: `twinlease server set --authoritative`.',
        );
    }
  }
  return isAll;
}

const FIXED_BYTES: Readonly<Partial<Record<OptionDefinition['type'], number>>> = {
  byte: 1,
  word: 2,
  dword: 4,
  'dword-dword': 8,
  'ipv4-address': 4,
};

/** Definitions of the file's own options; one for each number, and none that a value does not fit. */
function definitionsOf(declared: Declared, values: readonly OptionValue[], report: Report): OptionDefinition[] {
  const made = new Map<number, OptionDefinition>();
  for (const { name, statement, space } of declared.definitions) {
    const option = declared.spaces.get(space)?.options.get(name.toLowerCase());
    if (space !== DHCP_SPACE || option === undefined) continue;
    const before = made.get(option.code);
    if (before !== undefined) {
      report.changed(statement, `option ${option.code} is defined as ${before.name} already; values are the same`);
      continue;
    }
    const { type, isArray } = definitionType(option.type);
    const each = FIXED_BYTES[type];
    const fits = values.every(({ code, hex, vendorClass }) => {
      const bytes = hex.length / 2;
      if (code !== option.code || vendorClass !== undefined || each === undefined) return true;
      return isArray ? bytes > 0 && bytes % each === 0 : bytes === each;
    });
    made.set(option.code, {
      code: option.code,
      name,
      ...(fits ? { type, isArray } : { type: 'binary', isArray: false }),
    });
    if (!fits)
      report.changed(statement, `option ${option.code} is defined in octets, because a value does not have the type`);
  }
  return [...made.values()];
}

/** What a file says by saying nothing. */
function generalLines({ global }: Declared, file: string): ReportLine[] {
  const settled = settle([global]);
  const lines: ReportLine[] = [];
  const line = (statement: string, outcome: string): void => {
    lines.push({ carried: 'changed', file, line: 0, statement, outcome, advice: null });
  };
  if (!settled.has('=authoritative'))
    line('authoritative', 'is not said for the whole file, and dhcpd is not unless told');
  if (!settled.has('=default-lease-time'))
    line('default-lease-time', 'is not said for the whole file; where no network says it, it is 43200 s as in dhcpd');
  return lines;
}
