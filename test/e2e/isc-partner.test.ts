/**
 * Our server as the partner of ISC dhcpd 4.4, in either role, with real processes in network namespaces: the part of `npm run interop -- isc` that fits
 * into three minutes. Each case is a network of its own, and they run side by side; in the end both servers are in NORMAL, their tables and
 * the clients agree, dhcpd has complained of nothing that two dhcpd do not say to each other, and tshark reads all that we sent.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { planned, runCase } from '../interop/failover/matrix.ts';
import { needProgram, needRoot } from '../net/need.ts';

const PROGRAMS = ['ip', 'dhcpd', 'omshell', 'dumpcap', 'tshark', 'dhclient', 'udhcpc'] as const;
const AT_ONCE = 6;

/** Each thing that the two makes do together at least once, in either role; without what mostly waits for a silent link or for MCLT. */
const CASES: ReadonlySet<string> = new Set([
  'cold-start/secondary-first ours-primary',
  'cold-start/together ours-secondary',
  'split/128 ours-primary',
  'split/200 ours-secondary',
  'split/255 ours-secondary',
  'lease/dhclient ours-primary',
  'lease/udhcpc ours-secondary',
  'lease/decline ours-primary',
  'lease/decline ours-secondary',
  'lease/expiry ours-primary',
  'lease/expiry ours-secondary',
  'lease/release-to-the-other ours-secondary',
  'lease/rebind-with-the-other ours-primary',
  'cut/primary-unheard ours-primary',
  'kill/primary ours-primary',
  'kill/primary ours-secondary',
  'stop/secondary ours-primary',
  'stop/secondary ours-secondary',
  'partner-down/primary-gone ours-primary',
  'partner-down/secondary-gone ours-secondary',
  'lost-store/primary ours-secondary',
  'lost-store/secondary ours-primary',
  'balance/primary-drained ours-primary',
  'balance/secondary-drained ours-primary',
  'balance/secondary-drained ours-secondary',
  'reserved/both ours-secondary',
  'bootp ours-primary',
  'flow-control ours-secondary',
]);

describe('ISC dhcpd is the partner', { concurrency: AT_ONCE }, () => {
  const plan = planned(['ours-primary', 'ours-secondary']).filter(({ name }) => CASES.has(name));
  test('every case chosen is one of the matrix', () => assert.equal(plan.length, CASES.size));
  for (const one of plan) {
    test(one.name, async (t) => {
      if (!needRoot(t)) return;
      for (const program of PROGRAMS) if (!needProgram(t, program)) return;
      const { wrong } = await runCase(one, false);
      assert.deepEqual(wrong, []);
    });
  }
});
