/**
 * What a primary of another make tells in CONNECT is what holds: the MCLT, and which share of the clients is its own. It is kept in
 * the configuration, so that it holds without contact and after a restart too (specification 1.8 steps 7 and 8). Windows's values are not
 * used by Windows either (3.1), so they are left alone.
 */
import type { Config, Relationship } from '../core/config/model.ts';
import type { ServerCore } from '../core/pipeline/server-core.ts';
import type { FailoverMessage } from '../wire/failover/messages.ts';
import type { WallClock } from './clock.ts';
import type { ConfigService } from './config-service.ts';

const BUCKETS = 256;
const STALE_RETRIES_MAX = 16;

export interface ToldHost {
  readonly core: ServerCore;
  readonly clock: WallClock;
  readonly configs: Pick<ConfigService, 'present' | 'change'>;
}

type Connect = Extract<FailoverMessage, { kind: 'connect' }>;

/** Call it when the engine has had the message. Resolves when what was told is durable. */
export async function toldByPrimary(host: ToldHost, name: string, connect: Connect): Promise<void> {
  // A CONNECT that was refused tells nothing.
  if (host.core.endpoint(name)?.status(host.clock.now()).isConnected !== true) return;
  for (let attempt = 0; attempt < STALE_RETRIES_MAX; attempt++) {
    const { number, config } = host.configs.present;
    const relationship = config.relationships.find((one) => one.name === name);
    const told = relationship === undefined ? undefined : asTold(relationship, connect);
    if (relationship === undefined || told === undefined) return;
    const outcome = await host.configs.change({
      base: number,
      by: `partner ${relationship.partnerServer}`,
      what: `failover relationship ${name} follows what its primary told`,
      config: withRelationship(config, told),
    });
    if (outcome.kind !== 'stale') return;
  }
}

/** The relationship with what the primary says of it; undefined when that is what it is, or none of the primary's business. */
function asTold(relationship: Relationship, { mcltSec, hashBuckets }: Connect): Relationship | undefined {
  const { profile, role, mode } = relationship;
  if (role !== 'secondary' || (profile !== 'isc' && profile !== 'draft')) return undefined;
  const share = hashBuckets === undefined ? undefined : (setBits(hashBuckets) * 100) / BUCKETS;
  const told = {
    ...relationship,
    mcltSec: mcltSec === undefined || mcltSec === 0 ? relationship.mcltSec : mcltSec,
    percentage: share === undefined || mode !== 'LoadBalance' ? relationship.percentage : share,
  };
  const isSame = told.mcltSec === relationship.mcltSec && told.percentage === relationship.percentage;
  return isSame ? undefined : told;
}

function setBits(bytes: Uint8Array): number {
  let count = 0;
  for (const byte of bytes) for (let bits = byte; bits > 0; bits >>= 1) count += bits & 1;
  return count;
}

function withRelationship(config: Config, told: Relationship): Config {
  return { ...config, relationships: config.relationships.map((one) => (one.name === told.name ? told : one)) };
}
