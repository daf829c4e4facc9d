/**
 * How a relationship stands, in plain words (`failover status`, docs/failover.md "States"): what each state means, who answers now,
 * what is waited for and until when, what comes next if the partner stays away, and what to do. Pure; `status.ts` has the facts.
 */
import type { ForeignKind, ProtocolRole, RelationshipMode } from '../core/config/model.ts';
import type { ServerState } from '../wire/failover/messages.ts';

export interface StandingFacts {
  readonly nowAt: number;
  readonly name: string;
  readonly partner: string;
  /** Undefined for a Twinlease server. */
  readonly foreign: ForeignKind | undefined;
  readonly role: ProtocolRole;
  readonly mode: RelationshipMode;
  readonly isActive: boolean;
  /** This server's share of clients, percent; in hot standby the reserve. */
  readonly sharePercent: number;
  readonly state: ServerState;
  readonly partnerState: ServerState | undefined;
  readonly isCommunicating: boolean;
  readonly mcltSec: number;
  readonly allowanceSec: number;
  /** Entry into PARTNER-DOWN, or when the partner really stopped; 0 when it is not so. */
  readonly partnerDownAt: number;
  /** From when the partner's free addresses are used; undefined while that is not foreseeable. */
  readonly partnersUsableAt: number | undefined;
  /** Addresses whose last client may still hold a promise of the partner's, and when the last of these is over. */
  readonly heldByPartner: { readonly count: number; readonly untilAt: number };
  readonly recoverWaitUntilAt: number;
  /** When the partner is taken for down by itself; 0 when that is not under way. */
  readonly autoPartnerDownAt: number;
  /** The configured interval for that; null for never. */
  readonly autoPartnerDownSec: number | null;
  readonly silentScopes: readonly string[];
  readonly fetching: 'everything' | 'changes' | 'scopes' | undefined;
  readonly freeHere: number;
  readonly freeAtPartner: number;
  /** Clients that got their lease here within the last hour. */
  readonly newClients: number;
}

export interface StandingWords {
  readonly meaning: string;
  readonly partnerMeaning: string;
  readonly answers: string;
  readonly waits: readonly string[];
  readonly next: string;
  readonly toDo: string;
}

const RATE_SPAN_SEC = 3600;
/** The end of a lease without end. */
const NEVER_ENDING_AT = 0xffffffff;
/** The product's name, where the partner is of another make. */
const MAKES: Readonly<Record<ForeignKind, string>> = {
  isc: 'dhcpd',
  msft: 'Windows',
  draft: 'the other server',
};
/** dhcpd answers clients in three states alone (failover specification 2.5). */
const DHCPD_SERVES: ReadonlySet<ServerState> = new Set([
  'normal',
  'communications-interrupted',
  'partner-down',
] as const);
/** While this is what dhcpd heard last from us, it is silent whatever its own state is. */
const SILENCES_DHCPD: ReadonlySet<ServerState> = new Set([
  'partner-down',
  'potential-conflict',
  'conflict-done',
  'resolution-interrupted',
] as const);
/** Silent states that a server leaves by itself for one that serves when contact is lost. */
const ENDS_WITHOUT_CONTACT: ReadonlySet<ServerState> = new Set(['startup', 'potential-conflict'] as const);
/** In these, nothing goes on without the partner. */
const NEEDS_PARTNER: ReadonlySet<ServerState> = new Set([
  'recover',
  'recover-wait',
  'recover-done',
  'potential-conflict',
] as const);

export function standingWords(facts: StandingFacts): StandingWords {
  return {
    meaning: meaning(facts),
    partnerMeaning: partnerMeaning(facts),
    answers: answers(facts),
    waits: waits(facts),
    next: next(facts),
    toDo: toDo(facts),
  };
}

function meaning(facts: StandingFacts): string {
  const { partner, isCommunicating } = facts;
  switch (facts.state) {
    case 'startup':
      return `This server has just started and looks for ${partner} before it serves anybody.`;
    case 'normal':
      return 'Both servers work, and each tells the other every lease.';
    case 'communications-interrupted':
      return isCommunicating
        ? `${partner} is there but does not take part now, so this server goes on alone with what is its own.`
        : `There is no contact with ${partner}, which may be alive all the same; so each server goes on with what is its own.`;
    case 'partner-down':
      return `This server takes ${partner} for down${since(facts.partnerDownAt)}, and goes on alone.`;
    case 'potential-conflict':
      return 'Each server took the other for down. They compare their leases, and neither answers anybody until that is done.';
    case 'conflict-done':
      return `After both had gone on alone, this server has the leases of ${partner}; ${partner} now fetches those of this one.`;
    case 'resolution-interrupted':
      return 'Each server took the other for down, and contact broke before they had compared all leases.';
    case 'recover':
      return facts.fetching === undefined
        ? `This server lacks leases that ${partner} has, and waits for contact to fetch them.`
        : `This server fetches ${facts.fetching === 'everything' ? 'all leases' : 'the leases that it lacks'} from ${partner}.`;
    case 'recover-wait':
      return 'This server has all leases again, and waits until none that it gave before its failure can still run.';
    case 'recover-done':
      return `This server is ready again, and waits for ${partner} to notice.`;
    case 'paused':
      return `This server was paused by an operator and told ${partner} that it is about to come back.`;
    case 'shutdown':
      return `This server is being stopped; ${partner} was told to go on alone.`;
    default:
      return facts.state satisfies never;
  }
}

/** What the partner does in each state: as long as it is heard, and when it was last. */
const PARTNER_WORDS: Readonly<Record<ServerState, readonly [now: string, then: string]>> = {
  startup: ['is starting', 'was starting'],
  normal: ['serves as one of the pair', 'served as one of the pair'],
  'communications-interrupted': ['goes on alone, as without contact', 'went on alone, without contact'],
  'partner-down': ['takes this server for down', 'took this server for down'],
  'potential-conflict': [
    'compares leases after both had gone on alone',
    'was comparing leases after both had gone on alone',
  ],
  'conflict-done': [
    'has compared all leases and waits for this server',
    'had compared all leases and waited for this server',
  ],
  'resolution-interrupted': ['was cut off while comparing leases', 'had been cut off while comparing leases'],
  recover: ['fetches leases from this server', 'was fetching leases from this server'],
  'recover-wait': [
    'waits until no lease that it gave before its failure can still run',
    'waited until no lease that it gave before its failure could still run',
  ],
  'recover-done': ['is ready again after a failure', 'was ready again after a failure'],
  paused: ['is paused and about to come back', 'was paused and about to come back'],
  shutdown: ['is being stopped for longer', 'was stopped for longer'],
};

function partnerMeaning({ partner, partnerState, isCommunicating }: StandingFacts): string {
  if (partnerState === undefined) return `Nothing was heard of ${partner} yet.`;
  const [now, then] = PARTNER_WORDS[partnerState];
  return isCommunicating ? `${partner} ${now}.` : `When last heard of, ${partner} ${then}.`;
}

function answers(facts: StandingFacts): string {
  const { partner, state } = facts;
  const theirs = partnersAnswer(facts);
  switch (state) {
    case 'normal':
      return facts.partnerState !== undefined && isPartnerSilent(facts)
        ? `This server answers everybody. ${theirs}`
        : inNormal(facts);
    case 'communications-interrupted':
    case 'resolution-interrupted':
    case 'conflict-done':
      return `This server answers everybody: it renews every lease, and gives new clients its own ${addresses(facts.freeHere)}. ${theirs}`;
    case 'partner-down':
      return facts.partnersUsableAt !== undefined && facts.nowAt >= facts.partnersUsableAt
        ? `This server answers everybody, and uses all free addresses.`
        : `This server answers everybody: it renews every lease, and gives new clients its own ${addresses(facts.freeHere)}. ${theirs}`;
    case 'recover-done':
      return `This server renews leases; new clients are left to ${partner}. ${theirs}`;
    case 'startup':
    case 'potential-conflict':
    case 'recover':
    case 'recover-wait':
    case 'paused':
    case 'shutdown':
      return `This server answers nobody. ${theirs}`;
    default:
      return state satisfies never;
  }
}

function inNormal({ partner, mode, isActive, sharePercent, foreign }: StandingFacts): string {
  const both = `Both renew every lease${foreign === 'msft' ? '' : ', and answer a client that has waited 3 s in vain'}.`;
  if (mode === 'LoadBalance')
    return `This server answers ${sharePercent} % of new clients and ${partner} the other ${100 - sharePercent} %. ${both}`;
  return isActive
    ? `This server is the active one and answers new clients; ${partner} stands by with a reserve of ${sharePercent} %. ${both}`
    : `${partner} is the active one and answers new clients; this server stands by with a reserve of ${sharePercent} %. ${both}`;
}

function isPartnerSilent({ foreign, partnerState, state }: StandingFacts): boolean {
  if (partnerState === undefined) return true;
  if (foreign === 'isc') return !DHCPD_SERVES.has(partnerState) || SILENCES_DHCPD.has(state);
  return !['normal', 'communications-interrupted', 'partner-down', 'resolution-interrupted', 'conflict-done'].includes(
    partnerState,
  );
}

/** What is known of the other side's service. */
function partnersAnswer(facts: StandingFacts): string {
  const { partner, foreign, partnerState, state, isCommunicating } = facts;
  if (state === 'partner-down' && !isCommunicating)
    return `If ${partner} served after all, one address could go to two clients.`;
  if (partnerState === undefined) return `Whether ${partner} answers anybody is not known.`;
  const who = foreign === undefined ? partner : `${partner} (${MAKES[foreign]})`;
  if (foreign === 'isc' && DHCPD_SERVES.has(partnerState) && SILENCES_DHCPD.has(state))
    return `${who} is silent while this server is in ${state.toUpperCase()}.`;
  const mayHaveMoved = !isCommunicating && foreign !== 'isc' && ENDS_WITHOUT_CONTACT.has(partnerState);
  if (isPartnerSilent(facts) && !mayHaveMoved) {
    if (partnerState === 'recover-done' && foreign !== 'isc') return `${who} renews leases alone.`;
    return `${who} is silent in ${partnerState.toUpperCase()}${isCommunicating ? '' : ', and stays so without contact'}.`;
  }
  if (!isCommunicating) return `${who}, if it is alive, answers everybody too, new clients from its own addresses.`;
  return `${who} answers as well.`;
}

function waits(facts: StandingFacts): readonly string[] {
  const { partner, nowAt, state, silentScopes, recoverWaitUntilAt, partnersUsableAt, heldByPartner } = facts;
  const lines: string[] = [];
  if (recoverWaitUntilAt > nowAt)
    lines.push(
      `until ${clockText(recoverWaitUntilAt)} (${inSpan(recoverWaitUntilAt - nowAt)}) no client is answered: until then a lease from before the failure may run`,
    );
  if (silentScopes.length > 0)
    lines.push(
      `${silentScopes.join(', ')}: not served here until their leases have come from ${partner}, which serves them meanwhile`,
    );
  if (state === 'partner-down') {
    if (partnersUsableAt === undefined) lines.push(`the ${addresses(facts.freeAtPartner)} of ${partner} are not used`);
    else if (partnersUsableAt > nowAt)
      lines.push(
        `the ${addresses(facts.freeAtPartner)} of ${partner} are not used before ${clockText(partnersUsableAt)} (${inSpan(partnersUsableAt - nowAt)}): ${why(facts)}`,
      );
    if (heldByPartner.count > 0)
      lines.push(
        `${heldByPartner.count} address${heldByPartner.count === 1 ? '' : 'es'} with a lease that ${partner} may have extended go to nobody else before ${heldByPartner.count === 1 ? 'it' : 'each'} is over for certain, the last at ${clockText(heldByPartner.untilAt)}`,
      );
  }
  if (facts.state === 'normal' && facts.fetching === 'scopes')
    lines.push(`leases of new scopes are coming from ${partner}`);
  return lines;
}

function why({ mcltSec, allowanceSec, partnerDownAt, partner }: StandingFacts): string {
  return `${partner} may have leased any of them before ${clockText(partnerDownAt)}, for at most ${spanText(mcltSec)} (MCLT); ${spanText(allowanceSec)} more allow for clocks`;
}

function next(facts: StandingFacts): string {
  const { partner, state, autoPartnerDownAt, nowAt } = facts;
  if (NEEDS_PARTNER.has(state))
    return state === 'recover-wait' && facts.recoverWaitUntilAt > nowAt
      ? `Without ${partner} this server would renew leases from ${clockText(facts.recoverWaitUntilAt)} on, and give no new ones.`
      : `Without ${partner} this server ${state === 'recover-done' ? 'goes on renewing leases and gives no new ones' : 'stays silent'}.`;
  switch (state) {
    case 'startup':
      return `If ${partner} does not answer within a minute, this server goes on as it would after losing contact.`;
    case 'normal':
      return `Without ${partner} this server would answer everybody, new clients from its own ${addresses(facts.freeHere)} (${lasting(facts)})${afterwards(facts)}.`;
    case 'communications-interrupted':
    case 'resolution-interrupted':
      return autoPartnerDownAt > nowAt
        ? `At ${clockText(autoPartnerDownAt)} (${inSpan(autoPartnerDownAt - nowAt)}) this server takes ${partner} for down by itself; ${spanText(facts.mcltSec + facts.allowanceSec)} later it uses the ${addresses(facts.freeAtPartner)} of ${partner} too.`
        : `Until you say partner-down, this server uses its own ${addresses(facts.freeHere)} alone; ${lasting(facts)}.`;
    case 'partner-down':
      return `This server goes on alone for as long as it takes; when ${partner} returns it fetches all leases first, and both go on as a pair by themselves.`;
    case 'conflict-done':
      return `Without ${partner} this server goes on answering everybody.`;
    case 'paused':
    case 'shutdown':
      return `${partner} goes on alone until this server is back.`;
    default:
      return '';
  }
}

function afterwards({ autoPartnerDownSec }: StandingFacts): string {
  return autoPartnerDownSec === null
    ? ', until you say partner-down'
    : `, and take it for down by itself after ${spanText(autoPartnerDownSec)}`;
}

/** How long the own free addresses last at the rate of the last hour. */
function lasting({ newClients, freeHere }: StandingFacts): string {
  if (freeHere === 0) return 'none is left for a new client';
  if (newClients === 0) return 'no new client came within the last hour';
  const sec = (freeHere / newClients) * RATE_SPAN_SEC;
  return `at the rate of the last hour, ${newClients} new client${newClients === 1 ? '' : 's'}, they last ${spanText(roughly(sec))}`;
}

/** Two units at most: what is computed from a rate is no more exact. */
function roughly(sec: number): number {
  const unit = sec >= 172_800 ? 86_400 : sec >= 7200 ? 3600 : 60;
  return Math.max(Math.round(sec / unit) * unit, 60);
}

function toDo(facts: StandingFacts): string {
  const { partner, name, state, foreign } = facts;
  switch (state) {
    case 'normal':
    case 'startup':
    case 'recover-wait':
    case 'recover-done':
    case 'shutdown':
      return 'Nothing.';
    case 'communications-interrupted':
    case 'resolution-interrupted':
      return facts.isCommunicating
        ? `Nothing, if ${partner} comes back by itself.`
        : `Mend the link, or start ${partner}; all else follows by itself. Only when ${partner} has stopped for certain and stays away: \`twinlease failover set --name ${name} --partner-down\`. Never while it may be serving: then one address could go to two clients.`;
    case 'partner-down':
      return `Bring ${partner} back when you can.${foreign === 'isc' ? ` Do not edit its lease file; it recovers from this server.` : ''}`;
    case 'potential-conflict':
    case 'conflict-done':
      return facts.isCommunicating ? 'Nothing; it takes seconds.' : `Mend the link to ${partner}.`;
    case 'recover':
      return facts.isCommunicating
        ? 'Nothing; it ends by itself.'
        : `Bring ${partner} back. If it is lost for good, end the relationship here: \`twinlease failover remove ${name} --force\`.`;
    case 'paused':
      return 'Start this server again.';
    default:
      return state satisfies never;
  }
}

function addresses(count: number): string {
  return `${count} free address${count === 1 ? '' : 'es'}`;
}

function since(at: number): string {
  return at === 0 ? '' : ` since ${clockText(at)}`;
}

/** `2027-01-15 08:00:00Z`, as every instant is shown. */
export function clockText(at: number): string {
  if (at >= NEVER_ENDING_AT) return 'never';
  return new Date(at * 1000).toISOString().replace('T', ' ').replace('.000Z', 'Z');
}

function inSpan(sec: number): string {
  return `in ${spanText(sec)}`;
}

const UNITS: readonly (readonly [name: string, sec: number])[] = [
  ['d', 86_400],
  ['h', 3600],
  ['m', 60],
  ['s', 1],
];

/** `1h5s`; as the command line writes and reads spans. */
export function spanText(sec: number): string {
  let rest = Math.max(0, Math.floor(sec));
  let text = '';
  for (const [name, size] of UNITS) {
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${name}`;
    rest -= count * size;
  }
  return text === '' ? '0s' : text;
}
