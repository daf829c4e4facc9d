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

/** Beginnings of names: each thing that the two makes do together once, in both roles; without what mostly waits for a silent link. */
const CASES = [
  'cold-start/together',
  'cold-start/secondary-first',
  'split/',
  'lease/dhclient',
  'lease/decline',
  'lease/expiry',
  'lease/release-to-the-other',
  'lease/rebind-with-the-other',
  'kill/',
  'stop/',
  'lost-store/primary ours-secondary',
  'lost-store/secondary ours-primary',
  'partner-down/primary-gone ours-primary',
  'partner-down/secondary-gone ours-secondary',
  'balance/',
  'reserved/both',
  'bootp',
  'flow-control',
];

describe('ISC dhcpd is the partner', { concurrency: AT_ONCE }, () => {
  const plan = planned(['ours-primary', 'ours-secondary']).filter(({ name }) =>
    CASES.some((begin) => name.startsWith(begin)),
  );
  for (const one of plan) {
    test(one.name, async (t) => {
      if (!needRoot(t)) return;
      for (const program of PROGRAMS) if (!needProgram(t, program)) return;
      const { wrong } = await runCase(one, false);
      assert.deepEqual(wrong, []);
    });
  }
});
