/**
 * `npm start`: a whole pair on loopback with a crowd of real clients, shown live. Keys kill a server, cut the link, bring it back
 * and declare partner-down; with `--seconds N` it runs a drill by itself and ends with a summary.
 */
import process from 'node:process';
import { parseArgs } from 'node:util';
import { Crowd, type CrowdStats } from './crowd.ts';
import { DemoPair } from './pair.ts';
import { draw, noticed, type PairView, Screen, type ServerView } from './screen.ts';
import type { ServerProcess } from './server-process.ts';

const RELATIONSHIP = 'demo';
const RELAY_ADDRESS = '127.0.0.1';
const CLIENTS = 150;
const CLIENTS_PER_TICK = 5;
const MCLT_SEC = 20;
const LEASE_SEC = 40;
const LOOK_MS = 500;
const LINE_EVERY_MS = 5000;
const SCOPES = [
  {
    scopeId: '10.77.0.0',
    subnetMask: '255.255.255.0',
    startRange: '10.77.0.10',
    endRange: '10.77.0.250',
    name: 'first floor',
    leaseDuration: LEASE_SEC,
  },
  {
    scopeId: '10.78.0.0',
    subnetMask: '255.255.255.0',
    startRange: '10.78.0.10',
    endRange: '10.78.0.250',
    name: 'second floor',
    leaseDuration: LEASE_SEC,
  },
];

class Demo {
  readonly #pair: DemoPair;
  readonly #crowd: Crowd;
  readonly #screen: Screen | undefined;
  readonly #startedMs = performance.now();
  readonly #events: string[] = [];
  #views: ServerView[] = [];
  #lastAcked: Readonly<Record<string, number>> = {};
  #lastLookMs = performance.now();
  #lastLineMs = 0;
  #isCut = false;
  #looking = false;
  #isOver = false;

  constructor(pair: DemoPair, crowd: Crowd, screen: Screen | undefined) {
    this.#pair = pair;
    this.#crowd = crowd;
    this.#screen = screen;
  }

  get elapsedSec(): number {
    return (performance.now() - this.#startedMs) / 1000;
  }

  stats(): CrowdStats {
    return this.#crowd.stats();
  }

  states(): string {
    return this.#views.map((view) => `${view.name} ${view.isRunning ? view.state : 'down'}`).join(', ');
  }

  say(line: string): void {
    this.#events.push(`${this.elapsedSec.toFixed(1).padStart(6)} s  ${line}`);
    if (this.#events.length > 100) this.#events.shift();
    if (this.#screen === undefined) console.log(this.#events.at(-1));
  }

  /** After it, no look begins; one under way is let finish. */
  async end(): Promise<void> {
    this.#isOver = true;
    while (this.#looking) await new Promise((resolve) => setTimeout(resolve, LOOK_MS / 10));
  }

  async look(): Promise<void> {
    if (this.#looking || this.#isOver) return;
    this.#looking = true;
    try {
      const now = performance.now();
      const { ackedBy } = this.#crowd.stats();
      const spanSec = Math.max(0.1, (now - this.#lastLookMs) / 1000);
      const before = new Map(this.#views.map((view) => [view.name, view.state]));
      this.#views = await Promise.all(
        this.#pair.servers.map((server) =>
          viewOf(
            server,
            ackedBy[server.options.name] ?? 0,
            ((ackedBy[server.options.name] ?? 0) - (this.#lastAcked[server.options.name] ?? 0)) / spanSec,
          ),
        ),
      );
      for (const view of this.#views)
        if (before.get(view.name) !== view.state) this.say(`${view.name} is ${view.state}`);
      this.#lastAcked = ackedBy;
      this.#lastLookMs = now;
      this.#show(now);
    } finally {
      this.#looking = false;
    }
  }

  async toggle(server: ServerProcess): Promise<void> {
    if (server.isRunning) {
      await server.kill();
      this.say(`${server.options.name} was killed (SIGKILL)`);
    } else {
      await server.start();
      this.say(`${server.options.name} is back`);
    }
  }

  async toggleCut(): Promise<void> {
    this.#isCut = !this.#isCut;
    for (const server of this.#pair.servers)
      if (server.isRunning) await server.call(this.#isCut ? 'drill/cut' : 'drill/heal');
    this.say(this.#isCut ? 'the link between the servers is cut' : 'the link is whole again');
  }

  async partnerDown(): Promise<void> {
    for (const server of this.#pair.servers) {
      if (!server.isRunning) continue;
      const answer = await server.call('failover/set', { name: RELATIONSHIP, partnerDown: true });
      this.say(
        answer.status === 200
          ? `${server.options.name}: the partner is declared down`
          : `${server.options.name} refused: ${String(answer.body['detail'])}`,
      );
    }
  }

  moreClients(count: number): void {
    this.#crowd.add(count);
    this.say(`${count} new clients`);
  }

  renewAll(): void {
    this.#crowd.renewAll();
    this.say('every client renews');
  }

  grow(): void {
    const { clients } = this.#crowd.stats();
    if (clients < CLIENTS) this.#crowd.add(Math.min(CLIENTS_PER_TICK, CLIENTS - clients));
  }

  #show(now: number): void {
    if (this.#screen !== undefined) {
      const view: PairView = {
        relationship: RELATIONSHIP,
        elapsedSec: Math.floor(this.elapsedSec),
        isCut: this.#isCut,
        servers: this.#views,
        crowd: this.#crowd.stats(),
        events: this.#events,
      };
      this.#screen.show(draw(view));
    } else if (now - this.#lastLineMs >= LINE_EVERY_MS) {
      this.#lastLineMs = now;
      const { bound, clients, acks } = this.#crowd.stats();
      console.log(
        `${this.elapsedSec.toFixed(1).padStart(6)} s  ${this.states()}; ${bound} of ${clients} clients hold a lease, ${acks} acks; noticed: ${noticed(this.#crowd.stats())}`,
      );
    }
  }
}

async function viewOf(server: ServerProcess, ackedHere: number, acksPerSec: number): Promise<ServerView> {
  const view = { name: server.options.name, ackedHere, acksPerSec: Math.max(0, acksPerSec) };
  const down = { ...view, isRunning: false, state: 'down', freeHere: 0, inUse: 0 };
  if (!server.isRunning) return down;
  try {
    const [relationships, statistics] = await Promise.all([
      server.ask<readonly { readonly state: string }[]>('failover/get-by-name', { name: [RELATIONSHIP] }),
      server.ask<readonly { readonly addressesInUse: number; readonly addressesFreeOnThisServer: number | null }[]>(
        'scope/statistics',
        { failover: true },
      ),
    ]);
    return {
      ...view,
      isRunning: true,
      state: relationships[0]?.state ?? 'unknown',
      freeHere: statistics.reduce((sum, scope) => sum + (scope.addressesFreeOnThisServer ?? 0), 0),
      inUse: statistics.reduce((sum, scope) => sum + scope.addressesInUse, 0),
    };
  } catch {
    // Killed between the question and the answer; the next look shows it as down.
    return { ...down, isRunning: server.isRunning, state: 'not answering' };
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { seconds: { type: 'string' }, mode: { type: 'string', default: 'LoadBalance' } },
  });
  const seconds = values.seconds === undefined ? undefined : Number(values.seconds);
  if (seconds !== undefined && !(seconds >= 5 && seconds <= 86_400))
    throw new Error('--seconds wants a number from 5 to 86400');
  const mode = values.mode === 'HotStandby' ? 'HotStandby' : 'LoadBalance';
  const pair = await DemoPair.open({ relationship: RELATIONSHIP, scopes: SCOPES, mcltSec: MCLT_SEC, mode }, (line) =>
    console.log(line),
  );
  const crowd = await Crowd.open({
    servers: pair.servers.map((server) => ({
      name: server.options.name,
      address: server.options.partnerAddress,
      port: server.dhcpPort,
    })),
    relayAddress: RELAY_ADDRESS,
    links: SCOPES.map((scope) => scope.scopeId),
  });
  const screen = process.stdout.isTTY ? new Screen(process.stdout) : undefined;
  const demo = new Demo(pair, crowd, screen);
  try {
    await run(demo, pair, seconds);
  } finally {
    screen?.close();
  }
  await demo.end();
  const stats = demo.stats();
  const states = demo.states();
  crowd.close();
  await pair.close();
  return summary(stats, states);
}

/** Until the time is over, a key asks to quit, or the process is told to stop. */
async function run(demo: Demo, pair: DemoPair, seconds: number | undefined): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await new Promise<void>((resolve, reject) => {
    const fail = (error: unknown) => reject(error instanceof Error ? error : new Error(String(error)));
    const drill = seconds === undefined ? [] : drillOf(demo, pair, seconds);
    timer = setInterval(() => {
      demo.grow();
      const due = drill[0];
      if (due !== undefined && demo.elapsedSec >= due.atSec) {
        drill.shift();
        due.run().catch(fail);
      }
      demo.look().catch(fail);
      if (seconds !== undefined && demo.elapsedSec >= seconds) resolve();
    }, LOOK_MS);
    const stop = () => resolve();
    process.once('SIGINT', stop);
    process.once('SIGTERM', stop);
    if (process.stdin.isTTY && process.stdout.isTTY) {
      process.stdin.setRawMode(true);
      process.stdin.on('data', (keys) => {
        for (const key of keys.toString()) press(demo, pair, key, stop).catch(fail);
      });
    }
  }).finally(() => {
    clearInterval(timer);
    if (process.stdin.isTTY) {
      process.stdin.setRawMode(false);
      process.stdin.pause();
    }
  });
}

/** A timed run shows the point of it all: a server dies a third of the way and comes back at two thirds. */
function drillOf(
  demo: Demo,
  pair: DemoPair,
  seconds: number,
): { readonly atSec: number; readonly run: () => Promise<void> }[] {
  return [
    { atSec: seconds / 3, run: () => demo.toggle(pair.beta) },
    { atSec: (seconds * 2) / 3, run: () => demo.toggle(pair.beta) },
  ];
}

async function press(demo: Demo, pair: DemoPair, key: string, stop: () => void): Promise<void> {
  if (key === 'a') await demo.toggle(pair.alpha);
  else if (key === 'b') await demo.toggle(pair.beta);
  else if (key === 'c') await demo.toggleCut();
  else if (key === 'd') await demo.partnerDown();
  else if (key === 'n') demo.moreClients(50);
  else if (key === 'r') demo.renewAll();
  else if (key === 'q' || key === '\u0003') stop();
}

/** Exit status 0 when the clients noticed nothing but a wait of a few seconds. */
function summary(stats: CrowdStats, states: string): number {
  console.log('');
  console.log(`Servers    ${states}`);
  console.log(
    `Clients    ${stats.bound} of ${stats.clients} hold a lease; ${stats.acks} acks, ${stats.renewals} renewals, ${stats.naks} naks`,
  );
  console.log(
    `Answered   ${Object.entries(stats.ackedBy)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ')}`,
  );
  console.log(`Noticed    ${noticed(stats)}`);
  return stats.duplicates + stats.lost + stats.moved === 0 && stats.bound > 0 ? 0 : 1;
}

main().then(
  (status) => process.exit(status),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  },
);
