/**
 * What the checker holds the two servers to: the invariants of failover specification 7 by their numbers, and the promises of the
 * product that have none. Each names what it says; a run counts how often each was looked at, so that a check that never comes to
 * its point is seen.
 */

export const RULES = {
  I1: 'one holder: no two clients hold the same address at the same time',
  I2: 'grant bound: no lease ends later than MCLT after what the partner has acknowledged for this client',
  I3: 'partner knows: what one server takes for acknowledged, the other has',
  I4: 'order of times: what is promised to the partner is never less than the lease, nor less than before',
  I5: 'horizon: no running lease goes further than the other server must expect',
  I6: 'durability: nothing leaves before what it rests on is on the disk',
  I7: 'exclusive ownership: at most one server may give an available address to a new client',
  I8: 'consent: an address changes hands only after the other server has agreed to the end of the lease',
  I9: 'no revival: an end that was told and not answered bars the address',
  I10: 'waits of PARTNER-DOWN: an address goes to a new client only when all that was promised for it has ended',
  I11: 'window: never more unanswered updates than the partner takes',
  I12: 'one answer: each update has exactly one answer, and no address has two updates under way',
  I13: 'duel converges: two updates for one address under way leave both servers with the same',
  I14: 'idempotence: an update that comes again changes nothing and is accepted',
  I15: 'quiet apply: applying an update causes none',
  I16: 'convergence: both tables say the same',
  I17: 'UPDDONE is last: it leaves when all that was asked for is answered',
  I18: 'silence: no answer to clients in a state that has none',
  I19: 'recover-wait: a server that lost its data is silent until what it may have promised has ended',
  I20: 'answered: a new client has exactly one answer, by hash and mode, and one at least when it repeats itself',
  I21: 'available: a known lease is renewed, and offered again, by every server that hears of it',
  I22: 'keep-alive: the link is never silent for long, and a silent partner is noticed',
  I23: 'never NORMAL alone, and never both in PARTNER-DOWN while they talk',
  I24: 'legal steps: every change of a state or a binding is one that the specification has',
  I25: 'deterministic winner: of two clients on one address the primary’s keeps it, the other is refused',
  I26: 'monotone restart: a restart gives back exactly what was durable',
  owned: 'an available address always belongs to one side or the other',
  balance: 'both sides have their share of the available addresses soon after contact',
  starve: 'no client waits for long while an address that it may have is free',
  believe: 'at the end the tables say what the clients believe',
  help: 'both servers come to NORMAL by themselves',
  codec: 'what is written can be read, and says the same',
  thrown: 'nothing throws',
} as const;
export type RuleId = keyof typeof RULES;
export const RULE_IDS = Object.keys(RULES) as RuleId[];

/** What failover specification 7 lists as exceptions: counted, and proved one by one (`exceptions.ts`). */
export const EXCEPTIONS = {
  'false PARTNER-DOWN': 'a server was declared down while it served (assumption P1)',
  'endless lease': 'a BOOTP client has its address for ever, whatever the partner expects (assumption P4)',
  'forgotten lease':
    'only a store that was lost knew of this grant; the address is kept from others until it has ended',
} as const;
export type ExceptionKind = keyof typeof EXCEPTIONS;

export type Tally<K extends string> = Record<K, number>;

export function emptyTally<K extends string>(keys: readonly K[]): Tally<K> {
  return Object.fromEntries(keys.map((key) => [key, 0])) as Tally<K>;
}
