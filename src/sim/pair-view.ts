/** A pair of servers as its servers themselves see it: the cable between them, their places, and who watches. */
import type { CallAnswer, PartnerCall } from '../core/change/change-types.ts';
import type { ReplyPlan } from '../core/serving/serving-types.ts';
import type { Ip4 } from '../wire/units.ts';
import type { Cable } from './cable.ts';
import type { Answering, ProcessWatch, ServerProcess } from './process.ts';
import type { PairNames, Side } from './sides.ts';

/** The change machine of a server, as its partner calls it. */
export interface CalledChanges {
  call(partnerKey: string, call: PartnerCall, answer: (answer: CallAnswer) => void): void;
}

export interface SeatView {
  readonly process: ServerProcess | undefined;
  readonly answering: Answering;
  readonly host: { readonly changes: CalledChanges | undefined };
}

export interface PairView {
  readonly name: string;
  readonly names: PairNames;
  /** Largest MCLT that was ever in force. */
  mcltSecMax: number;
  readonly checker: ProcessWatch;
  readonly cable: Cable;
  readonly seats: Readonly<Record<Side, SeatView>>;
  toClient(side: Side, reply: ReplyPlan): void;
  /** The address is in a scope that the pair has or may have. */
  holds(address: Ip4): boolean;
}
