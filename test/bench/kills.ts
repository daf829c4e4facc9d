/** Fifty kills of a server under 1,000 exchanges a second; see `support/kill-rounds.ts`. Exit status 1 when a lease is missing. */
import { parseArgs } from 'node:util';
import { killRounds } from '../support/kill-rounds.ts';

const { values } = parseArgs({
  options: { kills: { type: 'string', default: '50' }, seed: { type: 'string', default: '1' } },
});
const result = await killRounds({
  kills: Number(values.kills),
  clients: 1000,
  perSec: 1000,
  seed: Number(values.seed),
});
console.log(
  `${result.kills} kills, ${result.acks} acks (${result.acksPerSec}/s under load), ${result.missing.length} acknowledged leases missing`,
);
for (const line of result.missing.slice(0, 20)) console.log(line);
process.exit(result.missing.length === 0 ? 0 : 1);
