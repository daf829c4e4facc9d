/**
 * Messages that were recorded and come again (failover specification 1.12). A digest proves who made a message, not when. So where a
 * secret is shared a CONNECT must be later than the last one that was accepted, also after a restart, and the xids of a connection must
 * rise. Inside the TLS of our own links nothing can be played again, and dhcpd has no digest.
 */
import type { FailoverMessage, MessageKind } from '../../wire/failover/messages.ts';
import { WINDOWS_XIDS_RISE } from '../../wire/failover/unverified.ts';
import type { EpochSec } from '../../wire/units.ts';
import { type Context, touchRecord } from './context.ts';

/** They carry the xid of what they answer; one that answers nothing of this connection has no effect (specification 1.13). */
const ANSWERS: ReadonlySet<MessageKind> = new Set(['connectack', 'bndack', 'upddone', 'poolresp']);

/**
 * Whether the CONNECT is not later than the last accepted one. A partner whose clock was set back waits until it has passed that time,
 * which the limit on the clocks' difference keeps within two minutes. If it was our clock that was set back, the remembered time lies
 * further ahead than any CONNECT may be, and says nothing any more.
 */
export function isConnectOld(ctx: Context, sentAt: EpochSec): boolean {
  const lastAt = ctx.record.partnerConnectAt;
  if (ctx.config.hasDigest !== true || lastAt === undefined) return false;
  return sentAt <= lastAt && lastAt <= ctx.now.wallAt + ctx.limits.skewRefuseSec;
}

/** The CONNECT was accepted; its time is durable before the answer leaves. */
export function noteConnect(ctx: Context, sentAt: EpochSec): void {
  if (ctx.config.hasDigest !== true) return;
  ctx.record.partnerConnectAt = sentAt;
  touchRecord(ctx);
}

/** Whether a message has an xid that is not above those before it on this connection; the next one is measured by this one. */
export function isXidOld(ctx: Context, { kind, xid }: FailoverMessage): boolean {
  // DISCONNECT ends the connection in any case, and is sent where nothing is counted any more.
  if (!mustRise(ctx) || ANSWERS.has(kind) || kind === 'disconnect') return false;
  const { heardXid } = ctx.link;
  ctx.link.heardXid = xid;
  return heardXid !== undefined && xid <= heardXid;
}

function mustRise({ config }: Context): boolean {
  return config.hasDigest === true && (config.profile !== 'msft' || WINDOWS_XIDS_RISE);
}
