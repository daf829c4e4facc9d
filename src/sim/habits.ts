/** Who a simulated client is and how it behaves; most follow RFC 2131, some are what administrators meet. */
import type { WorldOptions } from './options.ts';
import { makeRandom, type Random } from './random.ts';
import { hardwareOf, reservedClientsOf, speaksBootp } from './setting.ts';

export interface Habits {
  readonly clientId: Uint8Array | undefined;
  /** Many clients always send `secs` 0. */
  readonly countsSecs: boolean;
  /** Waits for several offers and takes any. */
  readonly collects: boolean;
  readonly leaseAskedSec: number | undefined;
  /** Repeats itself each second, whatever RFC 2131 4.1 says. */
  readonly isImpatient: boolean;
  /** RFC 951: one question, one answer, no end. */
  readonly speaksBootp: boolean;
  /** How often it comes up in another network, percent. */
  readonly movePercent: number;
  /** How often it asks for options only (DHCPINFORM) when it comes up, percent. */
  readonly informPercent: number;
  /** Uses an address after its end, asks for what nobody offered, gives back and declines what others have. */
  readonly isLawless: boolean;
  /** Of its clock, in millionths. */
  readonly driftPpm: number;
}

export interface ClientPlan {
  /** Who it is to the servers: machines with one identity are one client. */
  readonly index: number;
  /** The number in its hardware address. */
  readonly hardware: number;
  readonly scope: number;
  readonly habits: Habits;
}

/** Machines after this one may be copies of those before. */
const ORIGINALS_MIN = 8;

export function planHabits(options: WorldOptions, machine: number): ClientPlan {
  const random = makeRandom(options.seed ^ Math.imul(machine + 1, 0x2c1b3c6d));
  const own = ownPlan(options, machine, random);
  if (options.habits !== 'all' || machine < ORIGINALS_MIN || !random.chance(3)) return own;
  const original = planHabits(options, random.below(ORIGINALS_MIN));
  if (original.habits.speaksBootp || isReserved(options, machine) || isReserved(options, original.index)) return own;
  const { index, hardware, habits } = original;
  // A disk that was copied has the identifier, a virtual machine that was copied has the hardware address.
  if (habits.clientId === undefined) return { ...own, index, hardware, habits: { ...own.habits, clientId: undefined } };
  return { ...own, index, habits: { ...own.habits, clientId: habits.clientId } };
}

function ownPlan(options: WorldOptions, machine: number, random: Random): ClientPlan {
  const scope = machine % options.poolSizes.length;
  const hardware = hardwareOf(machine);
  const isRich = options.habits === 'all';
  const habits: Habits = {
    clientId: random.chance(60) ? Uint8Array.of(1, ...hardware) : undefined,
    countsSecs: random.chance(60),
    collects: random.chance(30),
    leaseAskedSec: random.chance(15) ? random.between(30, 2000) : undefined,
    isImpatient: isRich && random.chance(5),
    speaksBootp: speaksBootp(options, machine),
    movePercent: isRich && random.chance(10) ? 50 : 0,
    informPercent: isRich && random.chance(10) ? 60 : 0,
    isLawless: isRich && random.chance(4),
    driftPpm: isRich ? random.between(-200, 200) : 0,
  };
  return { index: machine, hardware: machine, scope, habits };
}

function isReserved(options: WorldOptions, client: number): boolean {
  return reservedClientsOf(options, client % options.poolSizes.length).includes(client);
}
