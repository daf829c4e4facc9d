/** perfdhcp, of Kea's tools, against the pair: as a relay it sends each exchange to both servers, and counts what is not answered. */
import { balanced, LAN, Machines, NamespacePair } from '../support/namespace-pair.ts';
import { type Host, runIn } from '../support/network.ts';

const RATE_PER_SEC = 2000;
const SECONDS = 30;
/** Clients come again after so many: their exchanges are then of known clients. */
const CLIENTS = 20_000;
const LOST_PART_MAX = 0.001;
/** Less than this of the wanted rate, and it is not this load that was measured. */
const SENT_PART_MIN = 0.95;
/** For the answers that are under way when the time is over. */
const EXIT_WAIT_US = 2_000_000;
const RANGE_SIZE = 65_024;

export interface LoadResult {
  readonly mode: string;
  readonly passed: boolean;
  readonly why?: string;
  readonly measured?: {
    readonly ratePerSec: number;
    readonly discovers: number;
    readonly requests: number;
    /** Messages without an answer, as perfdhcp counts them. */
    readonly unanswered: number;
    /** Of these, answers that came and that perfdhcp's own socket had no room for. */
    readonly overflowed: number;
    readonly lostPart: number;
    readonly averageMs: readonly number[];
    /** Why packets got no answer from each of the servers; what is the other's to answer is among them. */
    readonly drops: unknown;
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
    await balanced(pair, RANGE_SIZE * (mode === 'LoadBalance' ? 0.5 : 0.05));
    // Only what comes with the load counts: while a relationship is made, one server may know it before the other.
    for (const server of pair.servers) server.errors.length = 0;
    // Relay mode is what perfdhcp does by default; with `all` and -B it sends to both servers at once.
    const perfdhcp = `perfdhcp -4 -r ${RATE_PER_SEC} -p ${SECONDS} -R ${CLIENTS} -W ${EXIT_WAIT_US} -B -l ${LAN} all`;
    const output = await runIn(machines.clients, ['nice', '-n', '-10', ...perfdhcp.split(' ')], {
      timeoutMs: (SECONDS + 60) * 1000,
      allowFailure: true,
    });
    const overflowed = await overflowedIn(machines.clients);
    const drops = await Promise.all(
      pair.servers.map(async (server) => (await server.ask<Pick<Heard, 'drops'>>('server/statistics')).drops),
    );
    return judge({ mode, output, overflowed, drops, errorsLogged: pair.servers.flatMap((server) => server.errors) });
  } catch (error) {
    return { mode, passed: false, why: String(error) };
  } finally {
    await pair.stop();
    machines.remove();
  }
}

/** Datagrams that the kernel had for perfdhcp and found no room for: lost by the tool, answered by the servers. */
async function overflowedIn(host: Host): Promise<number> {
  const [names = '', values = ''] = (await runIn(host, ['grep', '^Udp:', '/proc/net/snmp'])).split('\n');
  return Number(values.split(' ')[names.split(' ').indexOf('RcvbufErrors')]);
}

interface Heard {
  readonly mode: string;
  readonly output: string;
  readonly overflowed: number;
  readonly drops: unknown;
  readonly errorsLogged: readonly string[];
}

/** Reads perfdhcp's report: a section for each of the two halves of an exchange. */
function judge({ mode, output, overflowed, drops, errorsLogged }: Heard): LoadResult {
  const all = (pattern: RegExp) => [...output.matchAll(pattern)].map((match) => Number(match[1]));
  const [discovers = 0, requests = 0] = all(/^sent packets: (\d+)/gm);
  const unanswered = all(/^drops: (-?\d+)/gm).reduce((sum, n) => sum + Math.max(n, 0), 0);
  const [ratePerSec = 0] = all(/^Rate: ([\d.]+)/gm);
  const averageMs = all(/^avg delay: ([\d.]+) ms/gm);
  const lostPart = Math.max(0, unanswered - overflowed) / Math.max(discovers, 1);
  const measured = {
    ratePerSec,
    discovers,
    requests,
    unanswered,
    overflowed,
    lostPart,
    averageMs,
    drops,
    errorsLogged,
  };
  if (discovers < RATE_PER_SEC * SECONDS * SENT_PART_MIN)
    return { mode, passed: false, why: `perfdhcp did not send enough\n${output}`, measured };
  if (lostPart >= LOST_PART_MAX)
    return { mode, passed: false, why: `${unanswered - overflowed} of ${discovers} exchanges were lost`, measured };
  if (errorsLogged.length > 0) return { mode, passed: false, why: 'the servers logged errors', measured };
  return { mode, passed: true, measured };
}
