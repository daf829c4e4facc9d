/** The running server as `manage` sees it: `Control` over `Server`. */
import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { makeIdentity } from '../net/identity.ts';
import { nodeFileLayer } from '../store/file-layer.ts';
import { parseIp4 } from '../wire/units.ts';
import { AuditLog } from './audit-log.ts';
import { type BackupSource, backupPlace, makeBackup } from './backup.ts';
import type { Control, Upkeep } from './control.ts';
import { type LeaveHost, leaveForLong } from './leave.ts';
import { DEFAULT_PARTNER_PORT, type Server } from './server.ts';

export const VERSION = '0.1.0';
/** From a command to stop to the end: its answer leaves first. */
const STOP_AFTER_MS = 100;
/** Between two looks at a relationship that drains. */
const DRAIN_LOOK_MS = 20;

export function controlOf(server: Server): Control {
  const { core, configs, channel, options } = server;
  const auditLog = new AuditLog(join(options.stateDirectory, 'audit.log'));
  return {
    serverName: options.name,
    get key() {
      return server.identity.key;
    },
    version: VERSION,
    now: () => server.clock.now(),
    ownNames: () => ownNames(options.name, options.partnerAddress),
    revision: () => configs.present,
    history: () => configs.history(),
    readRevision: (number) => configs.read(number),
    changeConfig: (change) => configs.change(change),
    saveTransactions: async (records) => {
      server.input(() => server.saveTransactions(records));
      await server.store.settled();
    },
    transactions: () => [...server.transactions.values()],
    bindings: core.bindings,
    changeBindings: async (bindings) => {
      server.input(() => core.changeBindings(server.clock.now(), bindings));
      await server.store.settled();
    },
    importLeases: async (leases, isTrial) => {
      const verdicts = server.input(() => core.importLeases(server.clock.now(), leases, isTrial));
      await server.store.settled();
      return verdicts;
    },
    pendingOffers: (scopeId) => core.serving.pendingOffers(scopeId),
    endpointStatus: (name) => core.endpoint(name)?.status(server.clock.now()),
    command: async (name, command) => {
      const result = server.input(() => core.command(server.clock.now(), name, command));
      await server.store.settled();
      return result ?? { kind: 'unknown' };
    },
    drained: (name, timeoutMs) => drained(server, name, timeoutMs),
    callPartner: (partner, method, params, timeoutMs) => channel.call(partner, method, params, timeoutMs),
    acceptInvitation: async (code, host) => {
      if (host === undefined) return { kind: 'failed', problem: { code: 'pair/host-missing', slots: {} } };
      const [name = '', port] = splitPort(host);
      return await channel.acceptInvitation(code, name, port ?? DEFAULT_PARTNER_PORT);
    },
    invite: () => channel.invite(),
    placeFor: async (host) => {
      const { partnerAddress } = options;
      const isOne = parseIp4(partnerAddress) !== undefined && parseIp4(partnerAddress) !== 0;
      return { address: isOne ? partnerAddress : await sourceAddressFor(host), port: server.doorPort };
    },
    resolve: async (host) => {
      const literal = parseIp4(host);
      if (literal !== undefined) return [literal];
      try {
        return (await lookup(host, { family: 4, all: true }))
          .map(({ address }) => parseIp4(address))
          .filter((address) => address !== undefined);
      } catch {
        // A name without addresses is an answer here, not a failure; the operation says which name it was.
        return [];
      }
    },
    putSecret: (secret) => server.secrets.put(secret),
    hasSecret: (ref) => server.secrets.has(ref),
    secretOf: (ref) => server.secrets.get(ref),
    upkeep: upkeepOf(server),
    counters: () => server.traces.counters(server.outbound.delayedCount),
    traces: (client) => server.traces.of(client),
    problems: () => server.log.recent() as ReturnType<Control['problems']>,
    audit: (entry) => auditLog.append({ at: new Date(server.clock.now().wallAt * 1000).toISOString(), ...entry }),
  };
}

function upkeepOf(server: Server): Upkeep {
  const { stateDirectory, configDirectory, identityDirectory } = server.options;
  const source: BackupSource = {
    directories: { state: stateDirectory, config: configDirectory, identity: identityDirectory },
    layer: server.options.layer ?? nodeFileLayer,
    head: () => ({
      version: VERSION,
      serverName: server.options.name,
      key: server.identity.key,
      storeId: server.store.storeId,
      sequence: server.store.durableSequence,
      revision: server.configs.present.number,
      madeAt: server.clock.now().wallAt,
    }),
    withStillFiles: (run) => server.withStillFiles(run),
    isStopping: () => server.isClosing,
  };
  let isBusy = false;
  return {
    backup: async (request) => {
      if (isBusy) return { kind: 'failed', problem: { code: 'backup/busy', slots: {} } };
      isBusy = true;
      try {
        return await makeBackup(source, request);
      } finally {
        isBusy = false;
      }
    },
    stop: async (isLong) => {
      if (isLong) await leaveForLong(leaveHost(server));
      setTimeout(() => server.onStop?.(), STOP_AFTER_MS);
    },
    clockDoubt: () => server.clock.doubt,
    trustClock: () => server.trustClock(),
    backupPlace: (path) => backupPlace(source, path),
    nextIdentity: () => {
      const identity = makeIdentity();
      return { key: identity.key, adopt: () => server.changeIdentity(identity) };
    },
  };
}

function leaveHost(server: Server): LeaveHost {
  const { core, clock } = server;
  return {
    nowMs: () => clock.now().monoMs,
    endpointNames: () => [...core.endpointNames()],
    status: (name) => core.endpoint(name)?.status(clock.now()),
    shutdown: (name) => server.input(() => core.command(clock.now(), name, { kind: 'shutdown' })),
    settled: () => server.store.settled(),
  };
}

/** The address of the partner door comes first among the addresses: it is the one by which partners know this server. */
function ownNames(serverName: string, partnerAddress: string): string[] {
  const names = [serverName.toLowerCase(), hostname().toLowerCase(), 'localhost'];
  if (partnerAddress !== '0.0.0.0' && partnerAddress !== '::') names.push(partnerAddress);
  const addresses = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
  for (const { address } of addresses.filter((a) => !a.internal)) names.push(address.toLowerCase());
  for (const { address } of addresses.filter((a) => a.internal)) names.push(address.toLowerCase());
  return names;
}

/** The address that a connection to the host would be made from; undefined where there is no route. Nothing is sent. */
async function sourceAddressFor(host: string): Promise<string | undefined> {
  const socket = createSocket('udp4');
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.connect(DEFAULT_PARTNER_PORT, host, resolve);
    });
    return socket.address().address;
  } catch {
    // No route is an answer here; the operation leaves the address open.
    return undefined;
  } finally {
    socket.close();
  }
}

/** `host`, `host:port` or an IPv4 address with either. */
export function splitPort(text: string): [string, number | undefined] {
  const colon = text.lastIndexOf(':');
  const port = colon < 0 ? undefined : Number(text.slice(colon + 1));
  if (port === undefined || !Number.isInteger(port) || port < 1 || port > 65535) return [text, undefined];
  return [text.slice(0, colon), port];
}

async function drained(
  server: Server,
  name: string,
  timeoutMs: number,
): Promise<{ kind: 'done' } | { kind: 'not'; why: string }> {
  const untilMs = server.clock.now().monoMs + timeoutMs;
  for (;;) {
    const status = server.core.endpoint(name)?.status(server.clock.now());
    if (status === undefined) return { kind: 'not', why: 'there is no such relationship' };
    if (!status.isCommunicating) return { kind: 'not', why: 'the partner is not reachable' };
    if (status.dirtyBindings === 0 && status.unackedUpdates === 0) return { kind: 'done' };
    if (server.clock.now().monoMs > untilMs)
      return { kind: 'not', why: `${status.dirtyBindings} bindings still wait for the partner` };
    await new Promise((resolve) => setTimeout(resolve, DRAIN_LOOK_MS));
  }
}
