/**
 * What the failover links and the management channel ask of the server: whom a connection belongs to, how partners are called,
 * and where what they bring is decided. A Twinlease partner is called over TLS and known by its key, a server of another make
 * plainly and known by its address (design, part 5 "Trust").
 */
import type { Config, Partner, Relationship } from '../core/config/model.ts';
import { foreignPartnerAt } from '../core/config/partner-key.ts';
import type { ServerCore } from '../core/pipeline/server-core.ts';
import type { Problem } from '../core/problems/problem.ts';
import type { Connection, PartnerAlpn, PlainConnection, TlsConnection } from '../net/connection.ts';
import { dialPlain } from '../net/dial-partner.ts';
import type { FailoverMessage } from '../wire/failover/messages.ts';
import type { EpochSec, Now } from '../wire/units.ts';
import type { WallClock } from './clock.ts';
import type { ConfigService } from './config-service.ts';
import type { TransactionRecord } from './control.ts';
import { digestsOf } from './digest-keys.ts';
import { digestRecord, foundDigest } from './found-digests.ts';
import type { Identity } from './identity.ts';
import type { KnownPartners } from './known-partners.ts';
import type { ForeignCaller } from './link-callers.ts';
import type { LinkEvents } from './links.ts';
import type { ServerLog } from './log.ts';
import type { ChannelHost } from './partner-channel.ts';
import type { Secrets } from './private-files.ts';
import { frameFingerprint, type Quarantine } from './quarantine.ts';
import { toldByPrimary } from './told-by-primary.ts';

export type PartnerHandler = (
  partner: Partner,
  method: string,
  params: unknown,
) => Promise<{ kind: 'ok'; value: unknown } | { kind: 'failed'; problem: Problem }>;

/** The server as the wiring uses it. */
export interface PartnerHost {
  readonly options: { readonly name: string; readonly partnerAddress: string };
  readonly log: ServerLog;
  readonly clock: WallClock;
  readonly core: ServerCore;
  readonly configs: ConfigService;
  readonly secrets: Secrets;
  readonly partners: KnownPartners;
  readonly quarantine: Quarantine;
  readonly transactions: ReadonlyMap<string, TransactionRecord>;
  readonly identity: Identity;
  readonly doorPort: number;
  onPartnerCall: PartnerHandler | undefined;
  input<T>(run: () => T): T;
  afterInput(): void;
  saveTransactions(records: readonly TransactionRecord[]): void;
  guarded<T>(what: 'client-packet' | 'partner-message', fingerprint: () => string, run: () => T): T;
}

/** What a change of a relationship tells its partner only in a new connection: the secret, and what CONNECT says (specification 6.5). */
export function needsNewLink(before: Relationship, after: Relationship): boolean {
  if (before.sharedSecretRef !== after.sharedSecretRef) return true;
  if (after.profile === 'twinlease' || after.role === 'secondary') return false;
  return (
    before.mcltSec !== after.mcltSec ||
    before.percentage !== after.percentage ||
    before.mode !== after.mode ||
    before.isActive !== after.isActive
  );
}

function relationshipNamed(config: Config, name: string): Relationship | undefined {
  return config.relationships.find((relationship) => relationship.name === name);
}

/** The server of another make at this address, and what is shared with it. */
export function foreignCallerAt(config: Config, address: string): ForeignCaller | undefined {
  const partner = foreignPartnerAt(config, address);
  if (partner?.foreign === undefined) return undefined;
  return {
    kind: partner.foreign.kind,
    relationship: config.relationships.find((one) => one.partnerKey === partner.key),
  };
}

/** Whether a caller from this address waits for our CONNECT before it says anything (specification 1.1). */
export function expectsGreeting(config: Config, address: string): boolean {
  const caller = foreignCallerAt(config, address);
  return caller?.kind === 'isc' && caller.relationship?.role === 'primary';
}

export function linkEvents(host: PartnerHost): LinkEvents {
  const now = (): Now => host.clock.now();
  const config = (): Config => host.configs.present.config;
  return {
    now,
    connected: (name, dialled) => host.input(() => host.core.linkConnected(now(), name, dialled)),
    failed: (name, why) => host.input(() => host.core.linkFailed(now(), name, why)),
    closed: (name, why) => host.input(() => host.core.linkClosed(now(), name, why)),
    message: (name, message, frame) => takeMessage(host, name, message, frame),
    relationshipOf: (name) => relationshipNamed(config(), name),
    foreignAt: (address) => foreignCallerAt(config(), address),
    digestsOf: (relationship) => {
      const found = foundDigest(host.transactions, relationship);
      const digests = digestsOf(relationship, host.secrets, found);
      if (digests === undefined) {
        const why = 'its shared secret is missing from identity/secrets.json here; set it again';
        host.log.event('failover/digest-failed', { name: relationship.name, why });
      }
      return digests;
    },
    mayReplace: (name) => host.core.endpoint(name)?.mayReplaceLink(now()) ?? true,
    digestFound: (relationship, keyName) => {
      const record = digestRecord(relationship, keyName);
      if (record !== undefined) host.input(() => host.saveTransactions([record]));
    },
    dial: (relationship) => dialLink(host, relationship),
    isQuarantined: (fingerprint) => host.quarantine.has(fingerprint),
    heardTime: (at: EpochSec) => host.clock.hearPartner(at),
    event: (code, slots) => host.log.event(code, slots),
  };
}

function takeMessage(host: PartnerHost, name: string, message: FailoverMessage, frame: Uint8Array): void {
  host.guarded(
    'partner-message',
    () => frameFingerprint(frame),
    () => host.core.linkMessage(host.clock.now(), name, message),
  );
  host.afterInput();
  // A rejection is a failed write and must reach the process (design, part 3).
  if (message.kind === 'connect') void toldByPrimary(host, name, message);
}

/** Rejects with words when nobody, or somebody else, answers. */
async function dialLink(host: PartnerHost, relationship: Relationship): Promise<Connection> {
  const partner = host.partners.of(relationship.partnerKey);
  if (partner === undefined) throw new Error(`the partner of ${relationship.name} was never introduced`);
  if (partner.foreign === undefined)
    return await dialTls(host, {
      host: partner.host,
      port: partner.port,
      alpn: 'twinlease-link/1',
      expectKey: partner.key,
    });
  return await dialForeign(host, partner, partner.foreign.localAddress);
}

async function dialForeign(host: PartnerHost, partner: Partner, localAddress: string | null): Promise<PlainConnection> {
  const from = localAddress === null ? ownPlace(host) : { localAddress };
  const dialled = await dialPlain({ host: partner.host, port: partner.port, ...from });
  if (dialled.kind === 'ok') return dialled.connection;
  throw new Error(dialled.why);
}

function dialTls(
  host: PartnerHost,
  target: { readonly host: string; readonly port: number; readonly alpn: PartnerAlpn; readonly expectKey: string },
): Promise<TlsConnection> {
  return host.partners.dial({ ...target, identity: host.identity, ...ownPlace(host) });
}

/** The partner sees the address at which it can reach us in turn. */
function ownPlace(host: PartnerHost): { localAddress?: string } {
  const { partnerAddress } = host.options;
  return partnerAddress === '0.0.0.0' || partnerAddress === '::' ? {} : { localAddress: partnerAddress };
}

export function channelHost(host: PartnerHost): ChannelHost {
  return {
    dial: (target) => dialTls(host, { ...target, alpn: 'twinlease-manage/1' }),
    partnerOf: (key) => host.partners.of(key),
    handle: async (partner, method, params) =>
      host.onPartnerCall === undefined
        ? { kind: 'failed', problem: { code: 'server/starting', slots: {} } }
        : await host.onPartnerCall(partner, method, params),
    nowSec: () => host.clock.now().wallAt,
    ownKey: () => host.identity.key,
    serverName: host.options.name,
    doorPort: () => host.doorPort,
    adopt: (partner) => host.partners.adopt(partner),
    event: (code, slots) => host.log.event(code, slots),
  };
}
