/** `twinlease serve`: puts the parts of a server together. A part of `main.ts`, loaded only when a server runs. */
import { hostname } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import type { ServeOptions } from './front/cli/program.ts';
import { openRestDoor } from './front/rest/rest-door.ts';
import { Follower } from './manage/follow.ts';
import { handlePartnerCall } from './manage/partner-methods.ts';
import { ChangeRecovery } from './manage/recovery.ts';
import { OPERATIONS } from './manage/registry.ts';
import { openDgramPacketIo } from './net/dgram-packet-io.ts';
import type { PacketIo } from './net/packet-io.ts';
import { tokenAt, writePrivateText } from './server/private-files.ts';
import { directoriesBelow, Server } from './server/server.ts';
import { controlOf } from './server/server-control.ts';
import { fromHex, type Ip4, parseIp4 } from './wire/units.ts';

/** Resolves when the server is ready; it then ends with the process. */
export async function serve(options: ServeOptions): Promise<void> {
  const directories = directoriesBelow(options.dataDir);
  const relayAddress = options.relayOnly === undefined ? undefined : splitAddress(options.relayOnly);
  const plant = process.env['TWINLEASE_FAULT_PLANT'];
  const faultPlant = plant === undefined ? undefined : fromHex(plant);
  const server = await Server.open({
    ...directories,
    name: options.name ?? hostname(),
    partnerAddress: options.partnerAddress,
    partnerPort: options.partnerPort,
    openPacketIo: () =>
      relayAddress === undefined ? openAllInterfaces(options.interface ?? 'all') : openDgramPacketIo(relayAddress),
    relayServerAddress: relayAddress?.serverId ?? (0 as Ip4),
    logLevel: options.logLevel,
    end: (status, why) => {
      process.stderr.write(`twinlease: ${why}\n`);
      process.exit(status);
    },
    ...(faultPlant === undefined ? {} : { faultPlant }),
  });
  const control = controlOf(server);
  const follower = new Follower(control);
  const recovery = new ChangeRecovery(control);
  server.onPartnerCall = (partner, method, params) => handlePartnerCall(control, partner, method, params);
  server.onConfigChanged = () => follower.onConfigChanged();
  server.onCommunicating = (relationship) => follower.onRelationshipCommunicating(relationship);
  server.onTick = () => {
    follower.tick(control.now());
    recovery.tick(control.now());
    for (const { code, slots } of recovery.takeEvents()) server.log.event(code, slots);
  };
  const door = await openRestDoor(control, {
    address: options.restAddress,
    port: options.restPort,
    administratorToken: await tokenAt(join(directories.identityDirectory, 'rest-token')),
    readerToken: await tokenAt(join(directories.identityDirectory, 'rest-reader-token')),
    operations: OPERATIONS,
    ...(options.drills ? { drills: { cut: () => server.setCut(true), heal: () => server.setCut(false) } } : {}),
  });
  const restUrl = `http://${options.restAddress}:${door.port}`;
  await writePrivateText(
    join(directories.stateDirectory, 'running.json'),
    JSON.stringify({ restUrl, pid: process.pid }),
  );
  let isEnding = false;
  const end = () => {
    if (isEnding) return;
    isEnding = true;
    Promise.all([door.close(), server.close()]).then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(`twinlease: while stopping: ${String(error)}\n`);
        process.exit(1);
      },
    );
  };
  server.onStop = end;
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
  server.log.info('ready', {
    restUrl,
    partnerPort: server.doorPort,
    dhcpPort: server.io.port,
    key: server.identity.key,
  });
}

/** Loaded only where it is used: relay-only service needs no native code. */
async function openAllInterfaces(interfaces: readonly string[] | 'all'): Promise<PacketIo> {
  const { openFastPacketIo } = await import('./net/fast-packet-io.ts');
  return await openFastPacketIo({ interfaces });
}

function splitAddress(text: string): { address: Ip4; port: number; serverId: Ip4 } {
  const [host = '', port = '67'] = text.split(':');
  const address = parseIp4(host);
  if (address === undefined || !/^\d{1,5}$/.test(port) || Number(port) > 65535)
    throw new Error(`--relay-only wants ADDRESS:PORT, not ${text}`);
  return { address, port: Number(port), serverId: address };
}
