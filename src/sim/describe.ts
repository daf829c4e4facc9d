/** Short texts for the trace: what a message, a binding or a packet says. */
import type { Binding } from '../core/bindings/binding.ts';
import type { BindingUpdate, OutMessage } from '../wire/failover/messages.ts';
import type { EpochSec, Ip4 } from '../wire/units.ts';
import { START_AT } from './clock.ts';

/** Scope and host part are enough to tell addresses apart. */
export function shortAddress(address: Ip4): string {
  return `${(address >>> 16) & 255}.${address & 0xffff}`;
}

/** Seconds since the beginning of the run. */
export function shortTime(at: EpochSec | undefined): string {
  if (at === undefined) return '-';
  return at === 0 ? '0' : String(at - START_AT);
}

/** The number of the client with this htype and hardware address. */
export function clientNumberOf(hardware: Uint8Array | undefined): number | undefined {
  return hardware === undefined || hardware.length < 7 ? undefined : hardware[5]! * 256 + hardware[6]!;
}

/** Who has the binding: machines with one identity are one client, and an identifier counts before a hardware address. */
export function identityOf({ clientId, hardware }: Pick<Binding, 'clientId' | 'hardware'>): number | undefined {
  return clientNumberOf(clientId ?? hardware);
}

export function clientOf(hardware: Uint8Array | undefined): string {
  const number = clientNumberOf(hardware);
  return number === undefined ? 'nobody' : `c${number}`;
}

export function describeBinding(binding: Binding | undefined): string {
  if (binding === undefined) return 'nothing';
  const { state, hardware } = binding;
  const flags = `${binding.dirty ? ' dirty' : ''}${binding.told ? ' told' : ''}`;
  const times = [
    binding.leaseEndAt,
    binding.sentPotentialAt,
    binding.ackedPotentialAt,
    binding.recvPotentialAt,
    binding.lastTransactionAt,
  ];
  return `${state} ${clientOf(hardware)} let/sent/acked/recv/cltt ${times.map(shortTime).join('/')}${flags}`;
}

function describeUpdate(update: BindingUpdate): string {
  const times = [update.leaseEndAt, update.potentialEndAt, update.lastTransactionAt].map(shortTime).join('/');
  return `${shortAddress(update.address)} ${update.state} ${clientOf(update.hardware)} ${times}`;
}

export function describeMessage(message: OutMessage): string {
  const head = `${message.kind} #${message.xid}`;
  switch (message.kind) {
    case 'bndupd':
      return `${head} ${message.updates.map(describeUpdate).join('; ')}`;
    case 'bndack':
      return `${head} ${message.answers.map((answer) => `${shortAddress(answer.address)} ${answer.rejectReason ?? 'ok'}`).join('; ')}`;
    case 'state':
      return `${head} ${message.serverState}${message.serverFlags === 0 ? '' : ' startup'} since ${shortTime(message.stateSinceAt)} seq ${message.store?.sequence}`;
    case 'connect':
    case 'connectack':
      return `${head} seq ${message.store?.sequence}, remembers ${message.remembered?.sequence}`;
    case 'disconnect':
      return `${head} ${message.rejectReason} ${message.message ?? ''}`;
    default:
      return head;
  }
}
