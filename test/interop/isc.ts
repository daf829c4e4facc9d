/** A failover pair of ISC dhcpd 4.x, configured as its manual page shows, which also gives the values that have no default. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../support/eventually.ts';
import { LAN, LINK_ADDRESSES, type Machines } from '../support/namespace-pair.ts';
import { Daemon, type Product, type RunningPair, type ScopeSetup } from './product.ts';

const READY_MS = 240_000;
/** The balance is right within a tenth. */
const BALANCED_PART = 0.9;

export const isc: Product = {
  name: 'ISC dhcpd, load balance',
  settings: 'mclt 3600, split 128, load balance max seconds 3, lease time 43200 s (its default)',
  programs: ['dhcpd'],
  isOurs: false,
  open,
};

async function open(machines: Machines, scope: ScopeSetup): Promise<RunningPair> {
  const daemons = (['primary', 'secondary'] as const).map((role, index) => {
    const path = (name: string) => join(machines.directory, `isc-${role}.${name}`);
    writeFileSync(path('conf'), configuration(role, index, scope));
    writeFileSync(path('leases'), '');
    const host = machines.hosts[index === 0 ? 0 : 1];
    const files = ['-cf', path('conf'), '-lf', path('leases'), '--no-pid'];
    return new Daemon(host, ['dhcpd', '-4', '-f', '-d', ...files, LAN], path('log'));
  });
  const [first] = daemons;
  if (first === undefined) throw new Error('two daemons');
  await eventually('both dhcpd are in normal and have shared out the addresses', READY_MS, () => {
    for (const daemon of daemons) if (!daemon.isRunning) throw new Error(daemon.log().slice(-2000));
    return daemons.every((daemon) => /I move from .* to normal/.test(daemon.log())) &&
      isShared(join(machines.directory, 'isc-secondary.leases'), scope.size)
      ? true
      : undefined;
  });
  return {
    killFirst: () => first.kill(),
    close: async () => {
      for (const daemon of daemons) if (daemon.isRunning) await daemon.kill();
    },
  };
}

function configuration(role: 'primary' | 'secondary', index: number, scope: ScopeSetup): string {
  const own = LINK_ADDRESSES[index];
  const other = LINK_ADDRESSES[1 - index];
  return `authoritative;
failover peer "pair" {
  ${role};
  address ${own}; port 647; peer address ${other}; peer port 647;
  max-response-delay 60; max-unacked-updates 10; load balance max seconds 3;
  ${role === 'primary' ? 'mclt 3600; split 128;' : ''}
}
subnet ${scope.scopeId} netmask ${scope.subnetMask} {
  pool { failover peer "pair"; range ${scope.startRange} ${scope.endRange}; }
}
`;
}

/**
 * The secondary has its part of the free addresses on disk. The primary's log tells of the balance long before its updates are
 * through, and until then those of new leases wait behind them.
 */
function isShared(leasesOfSecondary: string, size: number): boolean {
  const count = spawnSync('grep', ['-c', '^  binding state backup', leasesOfSecondary], { encoding: 'utf8' }).stdout;
  return Number(count) >= (size / 2) * BALANCED_PART;
}
