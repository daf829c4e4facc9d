/** A Kea HA pair as its manual shows: one pool for each server, lease updates and heartbeats through the control agents. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatIp4, ip4, parseIp4 } from '../../src/wire/units.ts';
import { eventually } from '../support/eventually.ts';
import { LAN, LINK_ADDRESSES, type Machines } from '../support/namespace-pair.ts';
import { Daemon, type Product, type RunningPair, type ScopeSetup } from './product.ts';

type KeaMode = 'load-balancing' | 'hot-standby';

const READY_MS = 60_000;
const HOOKS = '/usr/lib/x86_64-linux-gnu/kea/hooks';

export const keaLoadBalance = product('load-balancing');
export const keaHotStandby = product('hot-standby');

function product(mode: KeaMode): Product {
  return {
    name: `Kea HA, ${mode}`,
    settings:
      'heartbeat-delay 10000, max-response-delay 60000, max-ack-delay 10000, max-unacked-clients 10, lease time 7200 s (its defaults)',
    programs: ['kea-dhcp4', 'kea-ctrl-agent'],
    isOurs: false,
    open: (machines, scope) => open(machines, scope, mode),
  };
}

async function open(machines: Machines, scope: ScopeSetup, mode: KeaMode): Promise<RunningPair> {
  const pairs = LINK_ADDRESSES.map((_address, index) => {
    const directory = join(machines.directory, `kea-${index}`);
    mkdirSync(directory);
    const path = (name: string) => join(directory, name);
    writeFileSync(path('dhcp4.conf'), JSON.stringify(serverConfiguration(directory, index, scope, mode)));
    writeFileSync(path('agent.conf'), JSON.stringify(agentConfiguration(directory, index)));
    const environment = { KEA_PIDFILE_DIR: directory, KEA_LOCKFILE_DIR: directory };
    const host = machines.hosts[index === 0 ? 0 : 1];
    return {
      server: new Daemon(host, ['kea-dhcp4', '-c', path('dhcp4.conf')], path('dhcp4.log'), environment),
      agent: new Daemon(host, ['kea-ctrl-agent', '-c', path('agent.conf')], path('agent.log'), environment),
    };
  });
  const ready = mode === 'load-balancing' ? 'LOAD-BALANCING' : 'HOT-STANDBY';
  await eventually(`both Kea servers are in ${ready}`, READY_MS, () => {
    for (const { server, agent } of pairs) {
      if (!server.isRunning || !agent.isRunning) throw new Error((server.log() + agent.log()).slice(-2000));
    }
    return pairs.every(({ server }) => new RegExp(`HA_STATE_TRANSITION .* to ${ready}`).test(server.log()))
      ? true
      : undefined;
  });
  const kill = async (pair: (typeof pairs)[number] | undefined) => {
    for (const daemon of [pair?.server, pair?.agent]) if (daemon?.isRunning === true) await daemon.kill();
  };
  return {
    killFirst: () => kill(pairs[0]),
    close: async () => {
      for (const pair of pairs) await kill(pair);
    },
  };
}

function serverConfiguration(directory: string, index: number, scope: ScopeSetup, mode: KeaMode): unknown {
  const standbyRole = mode === 'load-balancing' ? 'secondary' : 'standby';
  const peers = LINK_ADDRESSES.map((address, i) => ({
    name: `server${i + 1}`,
    url: `http://${address}:8000/`,
    role: i === 0 ? 'primary' : standbyRole,
    'auto-failover': true,
  }));
  return {
    Dhcp4: {
      'interfaces-config': { interfaces: [LAN] },
      'control-socket': { 'socket-type': 'unix', 'socket-name': join(directory, 'socket') },
      'lease-database': { type: 'memfile', name: join(directory, 'leases.csv') },
      'hooks-libraries': [
        { library: join(HOOKS, 'libdhcp_lease_cmds.so') },
        {
          library: join(HOOKS, 'libdhcp_ha.so'),
          parameters: { 'high-availability': [{ 'this-server-name': `server${index + 1}`, mode, peers }] },
        },
      ],
      subnet4: [{ id: 1, subnet: `${scope.scopeId}/${scope.prefixLength}`, pools: poolsOf(scope, mode) }],
      // A line for each packet would be its default.
      loggers: [
        { name: 'kea-dhcp4', severity: 'WARN', output_options: [{ output: 'stdout' }] },
        { name: 'kea-dhcp4.ha-hooks', severity: 'INFO', output_options: [{ output: 'stdout' }] },
      ],
    },
  };
}

function poolsOf(scope: ScopeSetup, mode: KeaMode): unknown {
  if (mode === 'hot-standby') return [{ pool: `${scope.startRange} - ${scope.endRange}` }];
  const start = parseIp4(scope.startRange) ?? 0;
  const half = start + Math.floor(scope.size / 2);
  return [
    { pool: `${scope.startRange} - ${formatIp4(ip4(half - 1))}`, 'client-class': 'HA_server1' },
    { pool: `${formatIp4(ip4(half))} - ${scope.endRange}`, 'client-class': 'HA_server2' },
  ];
}

function agentConfiguration(directory: string, index: number): unknown {
  return {
    'Control-agent': {
      'http-host': LINK_ADDRESSES[index],
      'http-port': 8000,
      'control-sockets': { dhcp4: { 'socket-type': 'unix', 'socket-name': join(directory, 'socket') } },
      loggers: [{ name: 'kea-ctrl-agent', severity: 'WARN', output_options: [{ output: 'stdout' }] }],
    },
  };
}
