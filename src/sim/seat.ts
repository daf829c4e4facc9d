/**
 * A server's place in one relationship, over all its lives: the process that sits there now, and what the last one had saved. The
 * checker of the relationship knows the two servers only by their seats.
 */
import type { ServerState } from '../wire/failover/messages.ts';
import type { Ip4 } from '../wire/units.ts';
import type { Disk } from './disk.ts';
import type { Host } from './host.ts';
import type { SavedBinding } from './life.ts';
import type { Answering, ServerProcess } from './process.ts';
import type { Side } from './sides.ts';

export class Seat {
  readonly side: Side;
  readonly host: Host;
  answering: Answering = 'right';
  readonly #relationship: string;

  constructor(side: Side, host: Host, relationship: string) {
    this.side = side;
    this.host = host;
    this.#relationship = relationship;
  }

  get process(): ServerProcess | undefined {
    // Asked for with nearly every packet: a loop, and no closure for each.
    const processes = this.host.life?.processes;
    if (processes === undefined) return undefined;
    for (const process of processes) if (process.relationship === this.#relationship) return process;
    return undefined;
  }

  /** What the last process had appended, for who must know what may be on the disk of a server that is down. */
  get left(): ReadonlyMap<Ip4, SavedBinding> | undefined {
    return this.host.left;
  }

  get disk(): Disk {
    return this.host.disk;
  }

  get isUp(): boolean {
    return this.host.isUp;
  }

  state(): ServerState | 'standalone' | 'down' {
    return this.process?.state() ?? 'down';
  }

  isCommunicating(): boolean {
    return this.process?.isCommunicating() ?? false;
  }

  /** PARTNER-DOWN in the durable record, or in force. */
  isPartnerDown(): boolean {
    const { process } = this;
    // In STARTUP too: that passes, and this is what it comes back to.
    if (process !== undefined) return process.core.endpoint(this.#relationship)?.record().state === 'partner-down';
    return this.host.leftStates.get(this.#relationship) === 'partner-down';
  }
}
