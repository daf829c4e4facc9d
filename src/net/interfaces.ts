/**
 * Follows the served interfaces: which of those that were asked for exist, in what state and with which addresses. A change is
 * noticed by the kernel's own notices, and by looking every second all the same, because notices can be lost.
 */
import { type Link, listLinks, watchLinks } from './native/netlink.ts';

/** How often interfaces are looked at when no notice came. */
const LOOK_INTERVAL_MS = 1000;
/** Notices come in bursts: one look serves all that come within this time. */
const NOTICE_GATHER_MS = 20;
/** More interfaces than this are not served: each costs a socket or more. */
export const SERVED_INTERFACES_MAX = 4096;

/** An interface that was asked for. `link` is undefined while it does not exist. */
export interface ServedLink {
  readonly interfaceId: number;
  readonly name: string;
  readonly link: Link | undefined;
}

/**
 * Chooses the served ones of all links. A named interface keeps its id whatever happens to it; with 'all', these are the Ethernet
 * interfaces that have an IPv4 address, and one that went away and came back is a new one.
 */
export class InterfaceChoice {
  private readonly isAll: boolean;
  private readonly ids = new Map<string, number>();
  private nextId = 1;

  constructor(wanted: readonly string[] | 'all') {
    this.isAll = wanted === 'all';
    if (wanted !== 'all') for (const name of wanted.slice(0, SERVED_INTERFACES_MAX)) this.idOf(name);
  }

  choose(links: readonly Link[]): readonly ServedLink[] {
    if (!this.isAll) {
      const byName = new Map(links.map((link) => [link.name, link]));
      return [...this.ids].map(([name, interfaceId]) => ({ interfaceId, name, link: byName.get(name) }));
    }
    const served = links
      .filter((link) => link.isEthernet && !link.isLoopback && link.addresses.length > 0)
      .slice(0, SERVED_INTERFACES_MAX);
    const names = new Set(served.map((link) => link.name));
    for (const name of this.ids.keys()) if (!names.has(name)) this.ids.delete(name);
    return served.map((link) => ({ interfaceId: this.idOf(link.name), name: link.name, link }));
  }

  private idOf(name: string): number {
    const known = this.ids.get(name);
    if (known !== undefined) return known;
    const id = this.nextId++;
    this.ids.set(name, id);
    return id;
  }
}

export interface InterfaceFollower {
  /** Look again soon, because a send failed in a way that says that something changed. */
  lookSoon(): void;
  close(): void;
}

/**
 * Calls `onLook` with the state of the served interfaces: once before it returns, then after every notice and every second,
 * changed or not. Throws the system error when the kernel cannot be asked at all, and what the first `onLook` throws.
 */
export function followInterfaces(
  wanted: readonly string[] | 'all',
  onLook: (served: readonly ServedLink[]) => void,
): InterfaceFollower {
  const choice = new InterfaceChoice(wanted);
  let gathering: NodeJS.Timeout | undefined;
  let notices: { close(): void } | undefined;
  let isClosed = false;

  const look = (): void => {
    const links = listLinks();
    // An unanswered question says nothing about the interfaces: what was known stays until the next look.
    if (links !== undefined) onLook(choice.choose(links));
  };
  const lookSoon = (): void => {
    if (isClosed || gathering !== undefined) return;
    gathering = setTimeout(() => {
      gathering = undefined;
      look();
    }, NOTICE_GATHER_MS);
  };
  const stopNotices = (): void => {
    notices?.close();
    notices = undefined;
  };

  notices = watchLinks(lookSoon, stopNotices);
  try {
    look();
  } catch (cause) {
    stopNotices();
    throw cause;
  }
  const ticking = setInterval(look, LOOK_INTERVAL_MS);
  return {
    lookSoon,
    close(): void {
      isClosed = true;
      clearInterval(ticking);
      clearTimeout(gathering);
      stopNotices();
    },
  };
}
