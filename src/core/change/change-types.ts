/**
 * What goes into the machine that makes a change take effect on two servers or on neither, and what comes out (design, part 5
 * "Both sides"). The machine decides; whoever runs it sends, saves and answers, and tells the machine how that went. What a
 * change *does* is opaque here: `body` is plain JSON that only the runner understands.
 */
import type { Problem } from '../problems/problem.ts';

export interface Change {
  /** Random; its durable revision on the coordinator is the commit point. */
  readonly id: string;
  /** Name of the relationship, for people. */
  readonly relationship: string;
  /** What is locked until the change has ended: one key for the relationship, one for each scope that enters it. */
  readonly locks: readonly string[];
  /** Key of the other server. */
  readonly partnerKey: string;
  readonly startedAt: number;
  readonly body: unknown;
}

export type ChangeSide = 'coordinator' | 'participant';

/** What is durable of a change; one transaction record of the log. */
export interface StoredChange {
  readonly side: ChangeSide;
  readonly state: 'prepared' | 'committed' | 'aborted';
  readonly change: Change;
  /** An operator ended it; the other server may have ended it differently. */
  readonly byHand: boolean;
}

export type PartnerCall =
  | { readonly method: 'prepare'; readonly change: Change }
  | { readonly method: 'commit' | 'abort' | 'outcome'; readonly id: string };

export type CallAnswer =
  | { readonly kind: 'yes' }
  | { readonly kind: 'no'; readonly problem: Problem }
  /** To `commit`: it is in force and durable. To `abort`: it is gone. */
  | { readonly kind: 'done' }
  /** To `commit`: an operator aborted it here. */
  | { readonly kind: 'aborted' }
  /** To `commit`: never heard of it, or settled and forgotten. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'outcome'; readonly outcome: 'committed' | 'aborted' | 'undecided' };

export type AskAnswer =
  | CallAnswer
  /** Nobody answered; what the other server did is not known. */
  | { readonly kind: 'nobody'; readonly why: string };

export type Done = { readonly kind: 'ok' } | { readonly kind: 'refused'; readonly problem: Problem };

export type ChangeInput =
  /** An operator's change. `wins`: it goes before one that the other server begins at the same time. */
  | { readonly kind: 'begin'; readonly change: Change; readonly wins: boolean }
  /** The answer to an `ask`. */
  | {
      readonly kind: 'answered';
      readonly id: string;
      readonly method: PartnerCall['method'];
      readonly answer: AskAnswer;
    }
  /** `hold` is done: durable, or refused with nothing kept. */
  | { readonly kind: 'held'; readonly id: string; readonly result: Done }
  /** `release` is done and durable. */
  | { readonly kind: 'released'; readonly id: string }
  /** `revise` is done: the change is in force here and durable, or it was refused. */
  | { readonly kind: 'revised'; readonly id: string; readonly result: Done }
  /** The other server calls; the answer comes as `reply` with the same token. */
  | { readonly kind: 'call'; readonly partnerKey: string; readonly token: number; readonly call: PartnerCall }
  | { readonly kind: 'link-up'; readonly partnerKey: string }
  | { readonly kind: 'end-by-hand'; readonly id: string; readonly outcome: 'commit' | 'abort' }
  | { readonly kind: 'tick' };

export type EndResult =
  | { readonly kind: 'done' }
  /** In force here and bound to follow there; the other server has not confirmed yet. */
  | { readonly kind: 'unconfirmed' }
  | { readonly kind: 'refused'; readonly problem: Problem };

export type ChangeEffect =
  | { readonly kind: 'ask'; readonly partnerKey: string; readonly call: PartnerCall }
  /** Check the change, make its `prepared` record and whatever it needs beforehand durable, then say `held`. */
  | { readonly kind: 'hold'; readonly stored: StoredChange }
  /** Undo what `hold` did; make that durable with the record `aborted` (by hand) or `forgotten`, then say `released`. */
  | { readonly kind: 'release'; readonly stored: StoredChange; readonly keep: boolean }
  /** Put it in force: one durable revision together with its record `committed`, then say `revised`. */
  | { readonly kind: 'revise'; readonly stored: StoredChange }
  /** The record is needed no more. */
  | { readonly kind: 'forget'; readonly id: string }
  | { readonly kind: 'reply'; readonly token: number; readonly answer: CallAnswer }
  /** The operator's request has ended. */
  | { readonly kind: 'end'; readonly id: string; readonly result: EndResult }
  | { readonly kind: 'event'; readonly problem: Problem };

/** An open change as `pair changes` shows it. */
export interface OpenChange {
  readonly id: string;
  readonly relationship: string;
  readonly partnerKey: string;
  readonly side: ChangeSide;
  /** `in-doubt`: this server does not know how it ended. `unconfirmed`: in force here, not yet confirmed there. */
  readonly standing: 'under-way' | 'in-doubt' | 'unconfirmed' | 'ended-by-hand';
  readonly startedAt: number;
}
