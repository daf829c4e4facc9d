/**
 * The child process of the namespace tests: serves the interfaces named in its arguments and answers each packet by rules of the
 * test, not DHCP. The first octet of a packet says how it is to be answered; the reply repeats the packet after two octets: the
 * octet plus 100, and the interface's id. Interfaces and counters are told on stdout, one JSON value per line.
 */
import { openFastPacketIo } from '../../src/net/fast-packet-io.ts';
import type { OutgoingPacket, ReceivedPacket, ServedInterface } from '../../src/net/packet-io.ts';
import { formatIp4, ip4, parseIp4 } from '../../src/wire/units.ts';
import { ASK_BROADCAST, ASK_LINK, ASK_THROW } from './asks.ts';

/** The status with which the child ends when it is told to leave its sockets open. */
const ABRUPT_STATUS = 3;

// Without interfaces there is nothing to serve: so for a test runner that starts every file it finds.
const names = process.argv.slice(2);
if (names.length > 0) await serve(names);

async function serve(interfaces: string[]): Promise<void> {
  const io = await openFastPacketIo({ interfaces: interfaces[0] === 'all' ? 'all' : interfaces });
  const tell = (value: unknown): boolean => process.stdout.write(`${JSON.stringify(value)}\n`);
  process.on('uncaughtException', (cause) => tell({ thrown: cause.message }));

  const reply = (packet: ReceivedPacket): OutgoingPacket[] => {
    const kind = packet.bytes[0];
    const own = io.interfaces().find((served) => served.interfaceId === packet.interfaceId);
    const source = packet.toAddress ?? own?.addresses[0]?.address ?? ip4(0);
    const bytes = Uint8Array.from([(kind ?? 0) + 100, packet.interfaceId, ...packet.bytes]);
    const common = { interfaceId: packet.interfaceId, source, bytes };
    if (kind === ASK_THROW) throw new Error('asked to throw');
    if (kind === ASK_BROADCAST) return [{ ...common, address: ip4(0xffffffff), port: 68, hardware: undefined }];
    if (kind === ASK_LINK) {
      const address = parseIp4(`10.9.9.${packet.bytes[7]}`) ?? ip4(0);
      return [{ ...common, address, port: 68, hardware: packet.bytes.slice(1, 7) }];
    }
    return [{ ...common, address: packet.fromAddress, port: packet.fromPort, hardware: undefined }];
  };

  io.onPackets((batch) => io.send(batch.flatMap(reply)));
  io.onInterfaces((served) => tell({ served: served.map(shown) }));
  tell({ served: io.interfaces().map(shown) });

  process.stdin.setEncoding('utf8');
  process.stdin.on('data', (line) => {
    if (String(line).includes('counters')) tell({ counters: io.counters });
    if (String(line).includes('exit')) process.exit(ABRUPT_STATUS);
  });
  process.stdin.on('end', () => {
    void io.close().then(() => tell({ closed: true }));
  });
}

function shown({ name, isUp, addresses }: ServedInterface): unknown {
  return {
    name,
    isUp,
    addresses: addresses.map(({ address, prefixLength }) => `${formatIp4(address)}/${prefixLength}`),
  };
}
