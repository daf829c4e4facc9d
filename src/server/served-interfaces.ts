/**
 * The interfaces toward clients as they come, go and change: which addresses each has, and which scopes have none left that is
 * up. Those are told to the partner, which then answers them (design, "No silent half-death").
 */
import type { Scope } from '../core/config/model.ts';
import type { ServedInterface } from '../net/packet-io.ts';
import { type Ip4, parseIp4 } from '../wire/units.ts';

type Addresses = ServedInterface['addresses'];

export class ServedInterfaces {
  readonly #known = new Map<number, ServedInterface>();
  #down: readonly string[] = [];

  /** The present list; answers the names of those that went down since the last one. */
  note(interfaces: readonly ServedInterface[]): string[] {
    const present = new Set(interfaces.map((served) => served.interfaceId));
    for (const served of interfaces) {
      const before = this.#known.get(served.interfaceId);
      // An interface that is down may show no addresses any more; the last ones tell which scopes it served.
      const isBare = served.addresses.length === 0 && !served.isUp;
      this.#known.set(
        served.interfaceId,
        isBare && before !== undefined ? { ...served, addresses: before.addresses } : served,
      );
    }
    for (const [id, served] of this.#known) if (!present.has(id)) this.#known.set(id, { ...served, isUp: false });
    const down = [...this.#known.values()].filter((served) => !served.isUp).map((served) => served.name);
    const fresh = down.filter((name) => !this.#down.includes(name));
    this.#down = down;
    return fresh;
  }

  addressesOf(interfaceId: number): Addresses {
    return this.#known.get(interfaceId)?.addresses ?? [];
  }

  /** Scopes that lie on an interface which is down or gone, and on none that is up. Scopes behind relays are never among them. */
  unserved(scopes: readonly Scope[]): Ip4[] {
    const all = [...this.#known.values()];
    const up = all.filter((served) => served.isUp);
    const down = all.filter((served) => !served.isUp);
    const unserved: Ip4[] = [];
    for (const scope of scopes) {
      const scopeId = parseIp4(scope.scopeId);
      const mask = parseIp4(scope.subnetMask);
      if (scopeId === undefined || mask === undefined) continue;
      const lies = (served: ServedInterface): boolean =>
        served.addresses.some(({ address }) => (address & mask) >>> 0 === scopeId);
      if (down.some(lies) && !up.some(lies)) unserved.push(scopeId);
    }
    return unserved;
  }
}
