/**
 * Reads the XML that `Export-DhcpServer` writes into a plan. Every element has a line in the report, but for what is inside leases, which
 * `read-windows-leases.ts` tells of, and inside the parts for IPv6, which have one line each.
 */
import type { ImportPlan } from '../plan.ts';
import { child, type Element, readTree, WindowsReport } from './elements.ts';
import { type OptionContext, readClasses, readDefinitions, readOptionValues } from './options.ts';
import { readScopes } from './scopes.ts';

export interface WindowsSource {
  readonly file: string;
}

export type WindowsRead =
  | { readonly kind: 'ok'; readonly plan: ImportPlan }
  | { readonly kind: 'bad'; readonly why: string; readonly line: number };

export function readWindows(text: string, { file }: WindowsSource): WindowsRead {
  const tree = readTree(text);
  if (tree.kind === 'bad') return tree;
  const { root } = tree;
  if (root.key !== 'dhcpserver')
    return { kind: 'bad', why: `<${root.name.slice(0, 40)}> is not what Export-DhcpServer writes`, line: root.line };
  const report = new WindowsReport();
  report.carried(root, 'the export of a DHCP server');
  for (const part of root.children) {
    if (part.key === 'ipv6') noteIpv6(part, report);
    else if (/version$/.test(part.key)) report.carried(part, 'the version of the file');
    else if (part.key !== 'ipv4') noteServerPart(part, report);
  }
  const plan = planOf(child(root, 'IPv4'), report);
  return { kind: 'ok', plan: { ...plan, report: report.lines(root, file) } };
}

function planOf(ipv4: Element | undefined, report: WindowsReport): ImportPlan {
  const nothing: ImportPlan = {
    source: 'windows',
    server: {},
    optionDefinitions: [],
    scopes: [],
    relationships: [],
    report: [],
  };
  if (ipv4 === undefined) return nothing;
  report.carried(ipv4, 'the part for IPv4');
  const classes = readClasses(ipv4, report);
  const definitions = readDefinitions(ipv4, report, classes);
  const context: OptionContext = { report, classes, definitions: definitions.all };
  const options = readOptionValues(context, ipv4, 'server', 'the server');
  const scopes = readScopes(context, ipv4);
  for (const part of ipv4.children) if (!report.has(part)) noteServerPart(part, report);
  return { ...nothing, server: { options }, optionDefinitions: definitions.own, scopes };
}

const PARTS: readonly (readonly [name: RegExp, outcome: string, advice: string | null])[] = [
  [
    /^failover/,
    'a relationship with a Windows server is made anew, with this server in the place of the old one; its scopes are carried over',
    'For a pair of Twinlease servers: "twinlease pair invite" here, "twinlease pair accept" there, then "twinlease failover add". To go on with the Windows partner, remove the relationship there first, then declare the partner here.',
  ],
  [
    /^policies$/,
    'policies of the server have no equivalent yet',
    'Give the clients of the policy reservations, or options for their class.',
  ],
  [
    /^filters$/,
    'lists of allowed and denied hardware addresses have no equivalent yet',
    'Filter on the switches, or leave the clients out of the range.',
  ],
  [/^superscopes?$/, 'each scope names its own superscope', null],
  [/dns/, 'DNS updates are not made', 'Let the clients or the DNS server’s own means register names.'],
  [/^(nap|nps)/, 'Network Access Protection has no equivalent', null],
  [/conflictdetection/, 'addresses are not pinged before they are given out', null],
  [/multicast/, 'multicast address allocation (MADCAP) is not served', null],
  [/audit|statistic|log$/, 'logging and statistics are kept in other ways', null],
  [/database|backup|restore/, 'this server keeps its own store', null],
  [/binding|interface/, 'which interfaces are served is told at start', null],
];

/** A part that holds settings of the whole Windows server. */
function noteServerPart(part: Element, report: WindowsReport): void {
  const [, outcome, advice] = PARTS.find(([name]) => name.test(part.key)) ?? [part.key, 'has no equivalent', null];
  report.wholeNotCarried(part, outcome, advice);
}

function noteIpv6(ipv6: Element, report: WindowsReport): void {
  report.notCarried(ipv6, 'this server serves IPv4 only');
  for (const part of ipv6.children) report.asOne(part, 'this server serves IPv4 only');
}
