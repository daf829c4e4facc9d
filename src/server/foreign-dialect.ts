/** Whether a partner of another make is of the make that it was declared as: its CONNECT or CONNECTACK tells (failover specification 1.14). */
import { detectProfile } from '../wire/failover/codec.ts';
import type { WireProfile } from '../wire/failover/messages.ts';

const NAMES: Readonly<Record<WireProfile, string>> = {
  draft: 'the draft',
  isc: 'isc',
  msft: 'windows',
  twinlease: 'twinlease',
};

export interface OtherDialect {
  /** As an operator writes it. */
  readonly declared: string;
  readonly spoken: string;
}

/** What the frame shows where that is not what was declared. A frame without marks of any make is taken for the declared one. */
export function otherDialect(frame: Uint8Array, declared: WireProfile): OtherDialect | undefined {
  const spoken = detectProfile(frame);
  if (spoken === declared || spoken === 'draft') return undefined;
  return { declared: NAMES[declared], spoken: NAMES[spoken] };
}
