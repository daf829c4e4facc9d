/**
 * Whose key a connection has proved. While a partner changes its key both of its keys are good, and whatever it sends belongs to
 * the partner as the configuration knows it; once the new key was used, the old one is dropped (design, part 5 "Trust").
 */
import type { Config, Partner } from '../core/config/model.ts';
import { withPartnerKey } from '../core/config/partner-key.ts';
import type { TlsConnection } from '../net/connection.ts';
import { type DialPartnerOptions, dialPartner } from '../net/dial-partner.ts';
import type { ConfigService } from './config-service.ts';
import type { TransactionRecord } from './control.ts';

export interface KnownPartnersOptions {
  readonly configs: Pick<ConfigService, 'present' | 'change'>;
  readonly transactions: ReadonlyMap<string, TransactionRecord>;
}

export class KnownPartners {
  readonly #configs: KnownPartnersOptions['configs'];
  readonly #transactions: KnownPartnersOptions['transactions'];
  /** Announced keys that were used since the start. */
  readonly #used = new Set<string>();
  #isSettling = false;

  constructor(options: KnownPartnersOptions) {
    this.#configs = options.configs;
    this.#transactions = options.transactions;
  }

  /** By its key or by the one it announced. */
  of(key: string): Partner | undefined {
    const { partners } = this.#configs.present.config;
    return partners.find((one) => one.key === key) ?? partners.find((one) => one.nextKey === key);
  }

  /** Somebody proved this key on a connection. */
  noteUse(key: string): void {
    const { partners } = this.#configs.present.config;
    if (partners.some((one) => one.nextKey === key)) this.#used.add(key);
  }

  /** The connection under the key that the configuration has for whoever is at its other end. */
  identified(connection: TlsConnection): TlsConnection {
    const partner = this.of(connection.peerKey);
    if (partner === undefined || partner.key === connection.peerKey) return connection;
    this.noteUse(connection.peerKey);
    return underKey(connection, partner.key);
  }

  /** Rejects with words when nobody, or somebody else, answers. */
  async dial(target: DialPartnerOptions & { readonly expectKey: string }): Promise<TlsConnection> {
    const dialled = await dialPartner(target);
    if (dialled.kind === 'ok') return dialled.connection;
    // A partner that announced a new key may have changed to it since.
    const { nextKey } = this.of(target.expectKey) ?? {};
    if (dialled.reason !== 'wrong-key' || nextKey === undefined) throw new Error(dialled.why);
    const again = await dialPartner({ ...target, expectKey: nextKey });
    if (again.kind === 'ok') return this.identified(again.connection);
    throw new Error(again.why);
  }

  /** Makes a server that was just introduced a partner, durably. */
  async adopt(partner: Partner): Promise<void> {
    for (;;) {
      const { number, config } = this.#configs.present;
      // One that announced this key and is introduced anew with it goes on as the partner it was.
      const former = config.partners.find((known) => known.nextKey === partner.key);
      const base = former === undefined ? config : withPartnerKey(config, former.key, partner.key);
      const partners = [...base.partners.filter((known) => known.key !== partner.key), partner];
      const done = await this.#configs.change({
        base: number,
        by: 'pairing',
        what: `introduced to ${partner.name}`,
        config: { ...base, partners },
      });
      if (done.kind === 'ok') return;
      if (done.kind === 'bad')
        throw new Error(`the partner ${partner.name} cannot be added: ${done.problems[0]?.code ?? 'refused'}`);
    }
  }

  /**
   * Drops the old keys of partners that have used their new ones. A change on two servers that is still open names its partner
   * by key, so the old key stays until it has ended. Call it about once a second.
   */
  async settle(): Promise<void> {
    if (this.#isSettling || this.#used.size === 0) return;
    this.#isSettling = true;
    try {
      for (;;) {
        const { number, config } = this.#configs.present;
        const partner = config.partners.find((one) => this.#isReady(config, one));
        if (partner?.nextKey === undefined) return;
        const outcome = await this.#configs.change({
          base: number,
          by: `partner ${partner.name}`,
          what: `partner ${partner.name} has a new key`,
          config: withPartnerKey(config, partner.key, partner.nextKey),
        });
        if (outcome.kind === 'bad') return;
        if (outcome.kind === 'ok') this.#used.delete(partner.nextKey);
      }
    } finally {
      this.#isSettling = false;
    }
  }

  #isReady(config: Config, partner: Partner): boolean {
    if (partner.nextKey === undefined || !this.#used.has(partner.nextKey)) return false;
    if (config.partners.some((one) => one.key === partner.nextKey)) return false;
    return ![...this.#transactions.values()].some((one) => one.body.includes(partner.key));
  }
}

function underKey(connection: TlsConnection, key: string): TlsConnection {
  return {
    kind: 'tls',
    alpn: connection.alpn,
    peerKey: key,
    isKnown: true,
    remoteAddress: connection.remoteAddress,
    remotePort: connection.remotePort,
    localAddress: connection.localAddress,
    get bufferedBytes() {
      return connection.bufferedBytes;
    },
    write: (bytes) => connection.write(bytes),
    onData: (listener) => connection.onData(listener),
    onClose: (listener) => connection.onClose(listener),
    close: (why) => connection.close(why),
    exporter: (label) => connection.exporter(label),
  };
}
