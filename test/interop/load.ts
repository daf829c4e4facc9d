/** perfdhcp, of Kea's tools, against the pair: as a relay it sends each exchange to both servers, and counts what is not answered. */
import { Machines, NamespacePair } from '../support/namespace-pair.ts';
import { runIn } from '../support/network.ts';

const RATE_PER_SEC = 2000;
const SECONDS = 30;
/** Clients come again after so many: their exchanges are then of known clients. */
const CLIENTS = 20_000;
const LOST_PART_MAX = 0.001;

export interface LoadResult {
  readonly mode: string;
  readonly passed: boolean;
  readonly why?: string;
  readonly measured?: {
    readonly ratePerSec: number;
    readonly discovers: number;
    readonly requests: number;
    readonly lostPart: number;
    readonly averageMs: readonly number[];
    readonly errorsLogged: readonly string[];
  };
}

export async function load(mode: 'LoadBalance' | 'HotStandby'): Promise<LoadResult> {
  const machines = new Machines({ label: 'p', addresses: ['10.97.0.1/16', '10.97.0.2/16', '10.97.0.3/16'] });
  const pair = new NamespacePair(machines);
  try {
    await pair.start();
    await pair.join({
      mode,
      scopes: [{ scopeId: '10.97.0.0', subnetMask: '255.255.0.0', startRange: '10.97.1.0', endRange: '10.97.254.255' }],
    });
    // Only what comes with the load counts: while a relationship is made, one server may know it before the other.
    for (const server of pair.servers) server.errors.length = 0;
    const command = [
      'perfdhcp',
      '-4',
      '-r',
      String(RATE_PER_SEC),
      '-p',
      String(SECONDS),
      '-R',
      String(CLIENTS),
      '-l',
      'lan',
      '255.255.255.255',
    ];
    const output = await runIn(machines.clients, command, { timeoutMs: (SECONDS + 60) * 1000, allowFailure: true });
    return judge(
      mode,
      output,
      pair.servers.flatMap((server) => server.errors),
    );
  } catch (error) {
    return { mode, passed: false, why: String(error) };
  } finally {
    await pair.stop();
    machines.remove();
  }
}

/** Reads perfdhcp's report: a section for each of the two halves of an exchange. */
function judge(mode: string, output: string, errorsLogged: readonly string[]): LoadResult {
  const all = (pattern: RegExp) => [...output.matchAll(pattern)].map((match) => Number(match[1]));
  const [discovers = 0, requests = 0] = all(/^sent packets: (\d+)/gm);
  const drops = all(/^drops: (-?\d+)/gm);
  const [ratePerSec = 0] = all(/^Rate: ([\d.]+)/gm);
  const averageMs = all(/^avg delay: ([\d.]+) ms/gm);
  const lost = drops.reduce((sum, n) => sum + Math.max(n, 0), 0);
  const measured = {
    ratePerSec,
    discovers,
    requests,
    lostPart: lost / Math.max(discovers, 1),
    averageMs,
    errorsLogged,
  };
  if (discovers < RATE_PER_SEC * SECONDS * 0.95)
    return { mode, passed: false, why: `perfdhcp did not send enough\n${output}`, measured };
  if (measured.lostPart >= LOST_PART_MAX)
    return { mode, passed: false, why: `${lost} of ${discovers} exchanges were lost`, measured };
  if (errorsLogged.length > 0) return { mode, passed: false, why: 'the servers logged errors', measured };
  return { mode, passed: true, measured };
}
