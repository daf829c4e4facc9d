/**
 * The DHCP clients of the distribution, each in a namespace, with its lease file, its pid file and its script in a directory of
 * its own, so that nothing of the machine is touched. Scripts configure the interface as the distribution's would, leave the resolver
 * alone, and note what they were told.
 */
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from './eventually.ts';
import { type Host, runIn, startIn } from './network.ts';

export type ClientProgram = 'udhcpc' | 'dhclient' | 'dhcpcd';

/** What a client told its script. Texts as the client gives them; empty where it was told nothing. */
export interface ClientEvent {
  /** bound, renewed (by whichever message), or lost: released, expired, refused, or nothing yet. */
  readonly kind: 'bound' | 'renewed' | 'lost';
  readonly address: string;
  readonly serverId: string;
  readonly router: string;
  readonly dns: string;
  readonly domain: string;
  readonly custom: string;
}

/** The option of the tests' own: a text. */
export const CUSTOM_OPTION = 224;

const INTERFACE = 'lan';

export class StockClient {
  readonly program: ClientProgram;
  readonly host: Host;
  readonly #directory: string;
  #child: ChildProcess | undefined;

  constructor(program: ClientProgram, host: Host, directory: string) {
    this.program = program;
    this.host = host;
    this.#directory = directory;
    mkdirSync(join(directory, 'run'), { recursive: true });
    mkdirSync(join(directory, 'lib'), { recursive: true });
    writeFileSync(this.#path('events'), '');
    writeFileSync(this.#path('script'), SCRIPTS[program](this.#path('events')), { mode: 0o755 });
    writeFileSync(this.#path('conf'), CONFIGURATIONS[program]);
  }

  /** `extra` goes on the command line before the interface. */
  start(extra: readonly string[] = []): void {
    this.#child = startIn(this.host, [...this.#command(), ...extra, ...(this.program === 'udhcpc' ? [] : [INTERFACE])]);
  }

  /** Gives the lease back, as its program does it. */
  async release(): Promise<void> {
    const child = this.#child;
    if (child === undefined) throw new Error(`${this.program} does not run`);
    if (this.program === 'udhcpc') child.kill('SIGUSR2');
    else if (this.program === 'dhcpcd') child.kill('SIGALRM');
    else await runIn(this.host, [...this.#command(), '-r', INTERFACE]);
  }

  events(): readonly ClientEvent[] {
    return readFileSync(this.#path('events'), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const [reason = '', address = '', serverId = '', router = '', dns = '', domain = '', custom = ''] =
          line.split('|');
        return { kind: kindOf(reason), address, serverId, router, dns, domain, custom: textOf(custom) };
      });
  }

  /** The first event of the kind after so many others. */
  async event(kind: ClientEvent['kind'], timeoutMs: number, after = 0): Promise<ClientEvent> {
    return await eventually(`${this.program} is ${kind}`, timeoutMs, () =>
      this.events()
        .slice(after)
        .find((event) => event.kind === kind),
    );
  }

  kill(): void {
    this.#child?.kill('SIGKILL');
  }

  #path(name: string): string {
    return join(this.#directory, name);
  }

  #command(): readonly string[] {
    const script = this.#path('script');
    switch (this.program) {
      case 'udhcpc':
        return [
          'udhcpc',
          '-f',
          '-i',
          INTERFACE,
          '-s',
          script,
          '-p',
          this.#path('pid'),
          '-A',
          '3',
          '-O',
          String(CUSTOM_OPTION),
        ];
      case 'dhclient': {
        const files = ['-cf', this.#path('conf'), '-lf', this.#path('leases'), '-pf', this.#path('pid'), '-sf', script];
        return ['dhclient', '-4', '-d', ...files];
      }
      case 'dhcpcd': {
        // Its directories are fixed when it is built: a mount that only this process sees puts others in their place.
        const mounts = `mount --bind '${this.#path('run')}' /run && mkdir -p /var/lib/dhcpcd && mount --bind '${this.#path('lib')}' /var/lib/dhcpcd`;
        return [
          'sh',
          '-c',
          `${mounts} && exec dhcpcd "$@"`,
          'dhcpcd',
          '-4',
          '-B',
          '-f',
          this.#path('conf'),
          '-c',
          script,
        ];
      }
      default:
        return this.program satisfies never;
    }
  }
}

const CONFIGURATIONS: Readonly<Record<ClientProgram, string>> = {
  udhcpc: '',
  dhclient: `option custom-text code ${CUSTOM_OPTION} = text;
request subnet-mask, routers, domain-name-servers, domain-name, custom-text;
`,
  dhcpcd: `define ${CUSTOM_OPTION} string custom_text
option routers, domain_name_servers, domain_name, custom_text
`,
};

const SCRIPTS: Readonly<Record<ClientProgram, (events: string) => string>> = {
  udhcpc: (events) => `#!/bin/sh
case "$1" in
  deconfig) ip addr flush dev "$interface"; ip link set "$interface" up ;;
  bound|renew)
    ip addr replace "$ip/$mask" dev "$interface"
    for gateway in $router; do ip route replace default via "$gateway"; break; done ;;
esac
echo "$1|$ip|$serverid|$router|$dns|$domain|$opt${CUSTOM_OPTION}" >> '${events}'
`,
  dhclient: (events) => `#!/bin/sh
case "$reason" in
  PREINIT) ip link set "$interface" up ;;
  BOUND|RENEW|REBIND|REBOOT)
    ip addr replace "$new_ip_address/$new_subnet_mask" dev "$interface"
    for gateway in $new_routers; do ip route replace default via "$gateway"; break; done ;;
  EXPIRE|FAIL|RELEASE|STOP) ip addr flush dev "$interface" ;;
esac
echo "$reason|$new_ip_address|$new_dhcp_server_identifier|$new_routers|$new_domain_name_servers|$new_domain_name|$new_custom_text" >> '${events}'
`,
  // This one configures the interface itself.
  dhcpcd: (events) => `#!/bin/sh
echo "$reason|$new_ip_address|$new_dhcp_server_identifier|$new_routers|$new_domain_name_servers|$new_domain_name|$new_custom_text" >> '${events}'
`,
};

function kindOf(reason: string): ClientEvent['kind'] {
  switch (reason.toUpperCase()) {
    case 'BOUND':
    case 'REBOOT':
      return 'bound';
    case 'RENEW':
    case 'REBIND':
      return 'renewed';
    default:
      return 'lost';
  }
}

/** udhcpc gives an option that it does not know as hexadecimal, the others give it as the text that they were told it is. */
function textOf(custom: string): string {
  return /^([0-9a-f]{2})+$/i.test(custom)
    ? Buffer.from(custom, 'hex').toString('utf8')
    : custom.replace(/^"(.*)"$/, '$1');
}
