/**
 * A small network of namespaces for a test: servers and clients on one bridge (the LAN), and a link of their own between the
 * servers. Everything has a name that no other test has, is made here and removed here.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import process from 'node:process';
import koffi from 'koffi';

const CLONE_NEWNET = 0x40000000;
/** Hosts that one test process can manage: each takes a /30 below 169.254.0.0/16. */
const MANAGED_HOSTS_MAX = 16_384;

let made = 0;
let managed = 0;
let hasOwnSpace = false;

export interface Host {
  /** Name of the namespace. */
  readonly space: string;
  readonly name: string;
}

export class Network {
  readonly #prefix: string;
  readonly #hosts: string[] = [];
  readonly #bridges = new Map<string, string>();

  constructor(label: string) {
    this.#prefix = `tl${process.pid.toString(36)}${(made++).toString(36)}${label}`.slice(0, 9);
  }

  host(name: string): Host {
    const space = `${this.#prefix}-${name}`;
    sh('ip', 'netns', 'add', space);
    this.#hosts.push(space);
    sh('ip', '-n', space, 'link', 'set', 'lo', 'up');
    return { space, name };
  }

  /** A switch in a namespace of its own, where no host's settings reach. */
  bridge(name: string): void {
    const { space } = this.host(`br${name}`);
    sh('ip', '-n', space, 'link', 'add', 'switch0', 'type', 'bridge', 'forward_delay', '0');
    sh('ip', '-n', space, 'link', 'set', 'switch0', 'up');
    this.#bridges.set(name, space);
  }

  /** Plugs the host's interface into the bridge; `address` as 10.0.0.1/24. */
  plug(host: Host, bridge: string, interfaceName: string, address?: string): void {
    const space = this.#bridges.get(bridge);
    if (space === undefined) throw new Error(`no bridge ${bridge}`);
    const port = `p${this.#hosts.indexOf(host.space)}${interfaceName}`.slice(0, 15);
    sh('ip', '-n', space, 'link', 'add', port, 'type', 'veth', 'peer', 'name', interfaceName, 'netns', host.space);
    sh('ip', '-n', space, 'link', 'set', port, 'master', 'switch0', 'up');
    if (address !== undefined) sh('ip', '-n', host.space, 'addr', 'add', address, 'dev', interfaceName);
    sh('ip', '-n', host.space, 'link', 'set', interfaceName, 'up');
  }

  /** A link of its own between two hosts. */
  wire(a: Host, b: Host, interfaceName: string, addressA: string, addressB: string): void {
    sh(
      'ip',
      '-n',
      a.space,
      'link',
      'add',
      interfaceName,
      'type',
      'veth',
      'peer',
      'name',
      interfaceName,
      'netns',
      b.space,
    );
    sh('ip', '-n', a.space, 'addr', 'add', addressA, 'dev', interfaceName);
    sh('ip', '-n', b.space, 'addr', 'add', addressB, 'dev', interfaceName);
    sh('ip', '-n', a.space, 'link', 'set', interfaceName, 'up');
    sh('ip', '-n', b.space, 'link', 'set', interfaceName, 'up');
  }

  /**
   * A link between the host and this very process, to ask a server there over REST; answers the host's address on it. This
   * process moves to a namespace of its own first, so that the machine's own network sees nothing of it.
   */
  manage(host: Host): string {
    enterOwnSpace();
    if (managed >= MANAGED_HOSTS_MAX) throw new Error('too many managed hosts');
    const base = managed++ * 4;
    const [ours, theirs] = [base + 1, base + 2].map((n) => `169.254.${n >>> 8}.${n & 255}`);
    const port = `m${managed}`;
    sh('ip', 'link', 'add', port, 'type', 'veth', 'peer', 'name', 'manage', 'netns', host.space);
    sh('ip', 'addr', 'add', `${ours}/30`, 'dev', port);
    sh('ip', 'link', 'set', port, 'up');
    sh('ip', '-n', host.space, 'addr', 'add', `${theirs}/30`, 'dev', 'manage');
    sh('ip', '-n', host.space, 'link', 'set', 'manage', 'up');
    return theirs ?? '';
  }

  /** A way for packets of this host to another network, through a router on a network of its own. */
  route(host: Host, network: string, router: string): void {
    sh('ip', '-n', host.space, 'route', 'add', network, 'via', router);
  }

  /** Several interfaces at as good as one moment. */
  takeDown(host: Host, interfaceNames: readonly string[]): void {
    const commands = interfaceNames.map((name) => `link set ${name} down\n`).join('');
    execFileSync('ip', ['-n', host.space, '-batch', '-'], { input: commands, stdio: ['pipe', 'ignore', 'pipe'] });
  }

  setLink(host: Host, interfaceName: string, state: 'up' | 'down'): void {
    sh('ip', '-n', host.space, 'link', 'set', interfaceName, state);
  }

  /** Ends what runs inside and removes it all. */
  remove(): void {
    for (const space of this.#hosts) {
      const pids = attempt('ip', 'netns', 'pids', space)
        .split('\n')
        .filter((line) => /^\d+$/.test(line));
      for (const pid of pids) attempt('kill', '-9', pid);
    }
    for (const space of this.#hosts) attempt('ip', 'netns', 'del', space);
    this.#hosts.length = 0;
  }
}

/** Runs a program in the host's namespace to its end; rejects on a status that is not 0, with what it printed. */
export async function runIn(
  host: Host,
  command: readonly string[],
  options: { readonly timeoutMs?: number; readonly allowFailure?: boolean } = {},
): Promise<string> {
  const child = spawn('ip', ['netns', 'exec', host.space, ...command], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  child.stderr.on('data', (chunk) => {
    output += chunk;
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 60_000);
  const status = await new Promise<number | null>((resolve) => child.once('close', resolve));
  clearTimeout(timer);
  if (status !== 0 && options.allowFailure !== true)
    throw new Error(`${command.join(' ')} ended with ${status}:\n${output}`);
  return output;
}

/** Starts a program in the host's namespace; it ends with the network at the latest. */
export function startIn(host: Host, command: readonly string[], stdio: 'ignore' | 'pipe' = 'ignore'): ChildProcess {
  return spawn('ip', ['netns', 'exec', host.space, ...command], { stdio: [stdio, stdio, stdio] });
}

export function inNamespace(host: Host): readonly string[] {
  return ['ip', 'netns', 'exec', host.space];
}

function enterOwnSpace(): void {
  if (hasOwnSpace) return;
  const unshare = koffi.load(null).func('int unshare(int)') as (flags: number) => number;
  if (unshare(CLONE_NEWNET) !== 0) throw new Error('this process cannot have a network namespace of its own');
  hasOwnSpace = true;
  sh('ip', 'link', 'set', 'lo', 'up');
}

function sh(command: string, ...args: string[]): void {
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** For clearing up: what is gone already is no fault. */
function attempt(command: string, ...args: string[]): string {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return '';
  }
}
