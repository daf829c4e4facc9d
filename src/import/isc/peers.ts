/** Failover peers (dhcpd.conf(5), "CONFIGURING FAILOVER") to relationships. */
import { BUCKET_COUNT, countSet, HASH_BUCKETS_BYTES, hashBucketsForPercent } from '../../wire/failover/hash-buckets.ts';
import { formatIp4, ip4 } from '../../wire/units.ts';
import { lookUp } from '../look-up.ts';
import type { ImportedRelationship } from '../plan.ts';
import type { Declared, PeerDeclaration } from './model.ts';
import { numberIn, readData, readIp4 } from './option-values.ts';
import type { Report } from './report.ts';
import type { ScopeDraft } from './scopes.ts';
import { type Statement, wordAt } from './statements.ts';

/** dhcpd.conf(5): the registered port on both sides where none is given. */
const PORT_DEFAULT = 647;
const PERCENT_DEFAULT = 50;
const NAME_MAX = 126;
const SECONDS_MAX = 0xffffffff;

export interface Peers {
  readonly relationships: readonly ImportedRelationship[];
  readonly loadBalanceMaxSec: number | undefined;
}

/** What has been read of one peer. */
interface Draft {
  role: 'primary' | 'secondary' | undefined;
  partnerAddress: string | undefined;
  partnerPort: number;
  localAddress: string | null;
  localPort: number;
  percentage: number;
  mcltSec: number | null;
  stateSwitchIntervalSec: number | null;
  loadBalanceMaxSec: number | undefined;
}

export function makePeers(declared: Declared, drafts: readonly ScopeDraft[], report: Report): Peers {
  const relationships: ImportedRelationship[] = [];
  const taken = new Set<string>();
  let wait: number | undefined;
  for (const peer of declared.peers) {
    const draft = readPeer(peer, report);
    const scopeIds = drafts.filter((one) => one.peer === peer.name).map(({ scopeId }) => scopeId);
    const made = relationshipOf(peer, draft, scopeIds, taken, report);
    if (made === undefined) continue;
    taken.add(peer.name.toLowerCase());
    relationships.push(made);
    wait = commonWait(wait, draft.loadBalanceMaxSec, peer, report);
  }
  noteUnknown(declared, drafts, report);
  return { relationships, loadBalanceMaxSec: wait };
}

function relationshipOf(
  peer: PeerDeclaration,
  draft: Draft,
  scopeIds: readonly string[],
  taken: ReadonlySet<string>,
  report: Report,
): ImportedRelationship | undefined {
  const { statement, name } = peer;
  const refuse = (why: string, advice: string): undefined => {
    report.notCarried(statement, why, advice);
    return undefined;
  };
  if (draft.role === undefined) return refuse('says neither primary nor secondary', 'Correct the file.');
  if (draft.partnerAddress === undefined)
    return refuse('the address of the partner is not given as four numbers', 'Write it so, and import again.');
  if (name === '' || name.length > NAME_MAX || taken.has(name.toLowerCase()))
    return refuse('its name is empty, too long, or another peer has it', 'Give it a name of its own.');
  if (scopeIds.length === 0) return refuse('no pool that was carried over names it', 'Nothing needs doing.');
  const outcome = `relationship ${name} in load-balance mode`;
  // Without it dhcpd answers every client at once (it says so when it starts).
  if (draft.loadBalanceMaxSec === undefined)
    report.changed(statement, `${outcome}; dhcpd shares no load without "load balance max seconds", this server does`);
  else report.carried(statement, outcome);
  return {
    name,
    partnerKind: 'isc',
    partnerAddress: draft.partnerAddress,
    partnerPort: draft.partnerPort,
    localAddress: draft.localAddress,
    localPort: draft.localPort,
    role: draft.role,
    mode: 'LoadBalance',
    isActive: false,
    percentage: draft.percentage,
    mcltSec: draft.mcltSec,
    stateSwitchIntervalSec: draft.stateSwitchIntervalSec,
    scopeIds,
  };
}

function commonWait(
  before: number | undefined,
  here: number | undefined,
  peer: PeerDeclaration,
  report: Report,
): number | undefined {
  if (here === undefined || before === undefined || here === before) return before ?? here;
  const statement = peer.statement.block?.find((one) => wordAt(one, 0) === 'load');
  if (statement !== undefined)
    report.notCarried(statement, `the server has one wait for all relationships: ${before} s`, null);
  return before;
}

/** Pools that name a peer which the file does not declare. */
function noteUnknown(declared: Declared, drafts: readonly ScopeDraft[], report: Report): void {
  for (const { peer, pools } of drafts) {
    if (peer === undefined || declared.peers.some(({ name }) => name === peer)) continue;
    for (const { level } of pools)
      if (level.peer !== undefined)
        report.notCarried(level.peer.statement, `there is no failover peer "${peer}"`, 'Declare it, and import again.');
  }
}

function readPeer({ statement }: PeerDeclaration, report: Report): Draft {
  const draft: Draft = {
    role: undefined,
    partnerAddress: undefined,
    partnerPort: PORT_DEFAULT,
    localAddress: null,
    localPort: PORT_DEFAULT,
    percentage: PERCENT_DEFAULT,
    mcltSec: null,
    stateSwitchIntervalSec: null,
    loadBalanceMaxSec: undefined,
  };
  for (const inner of statement.block ?? []) readPart(draft, inner, report);
  return draft;
}

function readPart(draft: Draft, statement: Statement, report: Report): void {
  const isPeers = wordAt(statement, 0) === 'peer';
  const word = wordAt(statement, isPeers ? 1 : 0);
  const value = statement.tokens[isPeers ? 2 : 1]?.text ?? '';
  switch (word) {
    case 'primary':
    case 'secondary':
      draft.role = word;
      report.carried(statement, `this server is the ${word}`);
      return;
    case 'address':
      readAddress(draft, statement, isPeers, value, report);
      return;
    case 'port': {
      const port = numberIn(value);
      if (port === undefined || port < 1 || port > 65_535) {
        report.notCarried(statement, 'is no port');
        return;
      }
      if (isPeers) draft.partnerPort = port;
      else draft.localPort = port;
      const outcome = isPeers ? 'port of the partner' : 'the partner calls this port: start with --partner-port';
      report.carried(statement, outcome);
      return;
    }
    case 'mclt':
      readSeconds(statement, value, report, 'longest lead over what the partner knows', (sec) => {
        draft.mcltSec = sec;
      });
      return;
    case 'auto-partner-down':
      readSeconds(statement, value, report, 'automatic partner-down after this time', (sec) => {
        draft.stateSwitchIntervalSec = sec === 0 ? null : sec;
      });
      return;
    case 'load':
      readSeconds(statement, statement.tokens.at(-1)?.text ?? '', report, 'wait of the server', (sec) => {
        if (sec > 0) draft.loadBalanceMaxSec = Math.min(sec, 65_535);
      });
      return;
    case 'split':
    case 'hba':
      readShare(draft, statement, word, value, report);
      return;
    default:
      report.wholeNotCarried(
        statement,
        lookUp(OTHERS, word) ?? 'is no statement of a failover peer that is known here',
      );
  }
}

const OTHERS: Readonly<Record<string, string>> = {
  'max-response-delay': 'a silent partner is noticed by the times of the protocol',
  'max-unacked-updates': 'how many updates may wait is agreed with the partner by the protocol',
  'max-lease-misbalance': 'free addresses are balanced by a rule of this server',
  'max-lease-ownership': 'free addresses are balanced by a rule of this server',
  'min-balance': 'free addresses are balanced by a rule of this server',
  'max-balance': 'free addresses are balanced by a rule of this server',
};

function readAddress(draft: Draft, statement: Statement, isPeers: boolean, value: string, report: Report): void {
  const address = readIp4(value);
  if (address === undefined) {
    report.notCarried(statement, `${value}: names are not looked up in DNS`, 'Write the address, and import again.');
    return;
  }
  if (isPeers) draft.partnerAddress = formatIp4(ip4(address));
  else draft.localAddress = formatIp4(ip4(address));
  report.carried(statement, isPeers ? 'address of the partner' : 'address that the partner is called from');
}

function readSeconds(
  statement: Statement,
  text: string,
  report: Report,
  outcome: string,
  take: (sec: number) => void,
): void {
  const sec = numberIn(text);
  if (sec === undefined || sec < 0 || sec > SECONDS_MAX) {
    report.notCarried(statement, 'is no number of seconds');
    return;
  }
  take(sec);
  report.carried(statement, `${outcome}: ${sec} s`);
}

/** `split` counts the buckets of the primary, `hba` names them (failover specification 8.2). */
function readShare(draft: Draft, statement: Statement, word: string, value: string, report: Report): void {
  const buckets = word === 'hba' ? readData(statement.tokens.slice(1)) : undefined;
  const count = word === 'split' ? numberIn(value) : buckets === undefined ? undefined : countSet(buckets);
  const isWhole = word === 'split' || buckets?.length === HASH_BUCKETS_BYTES;
  if (count === undefined || count < 0 || count > BUCKET_COUNT || !isWhole) {
    report.notCarried(statement, 'is no share of the 256 buckets of clients');
    return;
  }
  draft.percentage = (count * 100) / BUCKET_COUNT;
  const ours = hashBucketsForPercent(draft.percentage);
  const isSame = buckets === undefined || buckets.every((octet, i) => octet === ours[i]);
  const outcome = `${Math.round(draft.percentage)} percent of the clients are the primary's, ${count} of 256 buckets`;
  if (isSame) report.carried(statement, outcome);
  else report.changed(statement, `${outcome}, but not the same ones`);
}
