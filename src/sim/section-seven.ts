/** The list at the end of failover specification 7, "simulator scenarios worth fixing as seeds", and the situations that are each of them. */

export interface Listed {
  /** As the specification says it. */
  readonly what: string;
  /** Names in `SCENARIOS`. */
  readonly scenarios: readonly string[];
}

export const SECTION_SEVEN: readonly Listed[] = [
  { what: 'crash between ACK and BNDUPD', scenarios: ['crash between ACK and BNDUPD'] },
  { what: 'crash between durable write and BNDACK', scenarios: ['crash between the durable write and BNDACK'] },
  {
    what: 'link cut with all messages of one direction lost',
    scenarios: ['one direction lost, from the primary', 'one direction lost, from the secondary'],
  },
  {
    what: 'both directions cut for > MCLT with clients roaming between servers',
    scenarios: ['link cut for longer than MCLT, clients roam', 'link silent for longer than MCLT'],
  },
  { what: 'lost database at each side during COMM-INT', scenarios: ['store lost in COMMUNICATIONS-INTERRUPTED'] },
  {
    what: 'lost database at each side during PD',
    scenarios: [
      'store lost while the partner is in PARTNER-DOWN',
      'store lost in PARTNER-DOWN, while the partner recovers',
      'store lost in PARTNER-DOWN, and the partner is back when what was given has ended',
    ],
  },
  {
    what: 'lost database at each side during RECOVER',
    scenarios: ['store lost again in RECOVER', 'store lost in RECOVER-WAIT'],
  },
  { what: 'lost database at each side during PC', scenarios: ['store lost in POTENTIAL-CONFLICT'] },
  {
    what: 'duelling ownership moves',
    scenarios: ['duelling ownership moves', 'ownership moves and their way back cross on a link that breaks'],
  },
  { what: 'duelling RELEASE/renew', scenarios: ['duelling RELEASE and renewal'] },
  {
    what: 'clock offset ±S',
    scenarios: [
      'clocks as far apart as is allowed for, the primary ahead',
      'clocks as far apart as is allowed for, the primary behind',
    ],
  },
  { what: 'partition with false PD on one side', scenarios: ['false PARTNER-DOWN on one side'] },
  {
    what: 'partition with false PD on both sides',
    scenarios: ['false PARTNER-DOWN on both sides', 'both sides lease the same addresses in a false PARTNER-DOWN'],
  },
  { what: 'restart during PC', scenarios: ['restart in POTENTIAL-CONFLICT'] },
  { what: 'restart during CD', scenarios: ['restart in CONFLICT-DONE'] },
  { what: 'partner that never acknowledges', scenarios: ['a partner that never acknowledges'] },
  { what: 'partner that rejects everything', scenarios: ['a partner that refuses everything'] },
];
