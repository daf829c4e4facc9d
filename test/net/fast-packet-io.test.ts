/** The fast sockets against real interfaces: veth pairs between network namespaces, which needs root. */
import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import dgram from 'node:dgram';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openFastPacketIo } from '../../src/net/fast-packet-io.ts';
import { AF_INET, bindSocket, closeFd, inetAddress, openSocket, SOCK_DGRAM } from '../../src/net/native/libc.ts';
import { formatIp4, ip4, toHex } from '../../src/wire/units.ts';
import { ASK_BROADCAST, ASK_LINK, ASK_THROW, ASK_UNICAST } from './asks.ts';
import { joinNamespaces, makeNamespace, type Namespace } from './namespaces.ts';
import { needProgram, needRoot } from './need.ts';
import { inNamespace, openPlainUdp, RawClient } from './raw-client.ts';

/** A test that waits longer than this for the server to tell something has failed. */
const WAIT_MS = 10_000;

interface Told {
  readonly served?: { name: string; isUp: boolean; addresses: string[] }[];
  readonly counters?: { received: number; sent: number; sendErrors: number; truncated: number };
  readonly thrown?: string;
  readonly closed?: boolean;
}

class Server {
  readonly told: Told[] = [];
  readonly child: ChildProcessWithoutNullStreams;
  private errors = '';
  private readonly waiting = new Set<() => void>();

  constructor(namespace: Namespace, interfaces: string[]) {
    const script = fileURLToPath(new URL('./fast-server.js', import.meta.url));
    this.child = spawn('ip', ['netns', 'exec', namespace.name, process.execPath, script, ...interfaces]);
    let rest = '';
    this.child.stdout.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.told.push(JSON.parse(line) as Told);
      for (const look of [...this.waiting]) look();
    });
    this.child.stderr.on('data', (chunk: Buffer) => {
      this.errors += chunk.toString();
    });
  }

  /** The first thing told from number `from` on that fits. */
  async next(fits: (told: Told) => boolean, from = 0): Promise<Told> {
    return new Promise((resolve, reject) => {
      const tooLate = setTimeout(
        () => reject(new Error(`told only ${JSON.stringify(this.told)}; ${this.errors}`)),
        WAIT_MS,
      );
      const look = (): void => {
        const found = this.told.slice(from).find(fits);
        if (found === undefined) return;
        clearTimeout(tooLate);
        this.waiting.delete(look);
        resolve(found);
      };
      this.waiting.add(look);
      look();
    });
  }

  async counters(): Promise<NonNullable<Told['counters']>> {
    const from = this.told.length;
    this.child.stdin.write('counters\n');
    return (await this.next((told) => told.counters !== undefined, from)).counters!;
  }

  /** Ends it in the proper way and answers its exit code. */
  async end(): Promise<number | null> {
    const exit = new Promise<number | null>((resolve) => this.child.once('exit', resolve));
    this.child.stdin.end();
    return exit;
  }
}

function canRun(t: TestContext): boolean {
  return needRoot(t) && needProgram(t, 'ip');
}

interface World {
  readonly serverSide: Namespace;
  readonly clientSide: Namespace;
  readonly server: Server;
}

/** Two cables, `red` 10.1.0.0/24 and `blue` 10.2.0.0/24, the server at .1 of both. */
async function makeWorld(t: TestContext, interfaces: string[]): Promise<World> {
  const serverSide = makeNamespace(t);
  const clientSide = makeNamespace(t);
  for (const [name, network] of [
    ['red', '10.1.0'],
    ['blue', '10.2.0'],
  ] as const) {
    joinNamespaces(serverSide, clientSide, name);
    serverSide.ip(`addr add ${network}.1/24 dev ${name}`);
    clientSide.ip(`addr add ${network}.2/24 dev ${name}`);
  }
  const server = new Server(serverSide, interfaces);
  t.after(() => server.child.kill('SIGKILL'));
  await server.next((told) => told.served?.some(({ isUp }) => isUp) === true);
  return { serverSide, clientSide, server };
}

function openClient(t: TestContext, namespace: Namespace, interfaceName: string): RawClient {
  const client = inNamespace(namespace, () => new RawClient(interfaceName));
  t.after(() => client.close());
  return client;
}

/** The UDP socket is made in the namespace and adopted by `dgram`. */
async function openRelay(t: TestContext, namespace: Namespace, address: string, port: number): Promise<dgram.Socket> {
  const fd = inNamespace(namespace, () => openPlainUdp(address, port, undefined));
  const socket = dgram.createSocket('udp4');
  t.after(() => new Promise<void>((resolve) => socket.close(() => resolve())));
  await new Promise<void>((resolve) => socket.bind({ fd }, resolve));
  return socket;
}

async function answerTo(socket: dgram.Socket, bytes: Uint8Array, address: string): Promise<[Buffer, dgram.RemoteInfo]> {
  return new Promise((resolve, reject) => {
    const tooLate = setTimeout(() => reject(new Error(`no answer from ${address}`)), WAIT_MS);
    socket.once('message', (answer, from) => {
      clearTimeout(tooLate);
      resolve([answer, from]);
    });
    socket.send(bytes, 67, address);
  });
}

test('a broadcast is seen once and answered out of the interface it came in by', async (t) => {
  if (!canRun(t)) return;
  const { clientSide, server } = await makeWorld(t, ['red', 'blue']);
  const red = openClient(t, clientSide, 'red');
  const blue = openClient(t, clientSide, 'blue');
  red.broadcast(Uint8Array.from([ASK_BROADCAST, 7]));
  const atRed = await red.next(({ payload }) => payload[0] === 100 + ASK_BROADCAST);
  blue.broadcast(Uint8Array.from([ASK_BROADCAST, 8]));
  const atBlue = await blue.next(({ payload }) => payload[0] === 100 + ASK_BROADCAST);

  assert.deepEqual([...atRed.payload], [101, 1, ASK_BROADCAST, 7]);
  assert.deepEqual([...atBlue.payload], [101, 2, ASK_BROADCAST, 8]);
  assert.equal(formatIp4(atRed.source), '10.1.0.1');
  assert.equal(formatIp4(atBlue.source), '10.2.0.1');
  assert.equal(atRed.sourcePort, 67);
  assert.equal(atRed.destinationPort, 68);
  assert.deepEqual(await server.counters(), { received: 2, sent: 2, sendErrors: 0, truncated: 0 });
  assert.equal(red.seen.filter(({ payload }) => payload[0]! > 100).length, 1, 'nothing of blue came to red');
});

test('a reply to a client without an address is a frame to its hardware address with right checksums', async (t) => {
  if (!canRun(t)) return;
  const { clientSide } = await makeWorld(t, ['red', 'blue']);
  const red = openClient(t, clientSide, 'red');
  for (const extra of [[], [1], [1, 2]]) {
    const hardware = [2, 0, 0, 0, extra.length, 9];
    red.broadcast(Uint8Array.from([ASK_LINK, ...hardware, 77, ...extra]));
    const reply = await red.next(
      ({ payload }) => payload[0] === 100 + ASK_LINK && payload.length === 10 + extra.length,
    );
    assert.equal(toHex(reply.toHardware), toHex(Uint8Array.from(hardware)));
    assert.equal(formatIp4(reply.source), '10.1.0.1');
    assert.equal(formatIp4(reply.destination), '10.9.9.77');
    assert.equal(reply.sourcePort, 67);
    assert.equal(reply.hasGoodChecksums, true);
  }
});

test('a unicast is seen once, on whatever interface it comes, and answered from the address it was sent to', async (t) => {
  if (!canRun(t)) return;
  const { serverSide, clientSide, server } = await makeWorld(t, ['red', 'blue']);
  serverSide.ip('addr add 10.1.0.9/24 dev red');
  await server.next((told) => told.served?.[0]?.addresses.includes('10.1.0.9/24') === true);
  clientSide.ip('addr add 10.7.0.1/24 dev lo');
  // The route back to the relay is blue, while its packets for 10.1.0.1 come by red: each of the two is legal.
  serverSide.ip('route add 10.7.0.0/24 via 10.2.0.2');
  const relay = await openRelay(t, clientSide, '10.7.0.1', 67);
  const blue = openClient(t, clientSide, 'blue');
  const [first, from] = await answerTo(relay, Uint8Array.from([ASK_UNICAST, 5]), '10.1.0.1');
  assert.deepEqual([...first], [103, 1, ASK_UNICAST, 5]);
  assert.equal(from.address, '10.1.0.1');
  assert.equal(from.port, 67);
  await blue.next(({ payload, destination }) => payload[0] === 103 && formatIp4(destination) === '10.7.0.1');

  const [second, fromSecond] = await answerTo(relay, Uint8Array.from([ASK_UNICAST, 6]), '10.1.0.9');
  assert.deepEqual([...second], [103, 1, ASK_UNICAST, 6]);
  assert.equal(fromSecond.address, '10.1.0.9', 'the second address of one interface answers as itself');

  clientSide.ip('route add 10.2.0.1/32 via 10.1.0.1');
  const [third, fromThird] = await answerTo(relay, Uint8Array.from([ASK_UNICAST, 7]), '10.2.0.1');
  assert.deepEqual(
    [...third],
    [103, 1, ASK_UNICAST, 7],
    'the interface is that of the arrival, not that of the address',
  );
  assert.equal(fromThird.address, '10.2.0.1');
  assert.equal((await server.counters()).received, 3);
});

test('an interface that was deleted and made again under its name is served again', async (t) => {
  if (!canRun(t)) return;
  const { serverSide, clientSide, server } = await makeWorld(t, ['red', 'blue']);
  let from = server.told.length;
  serverSide.ip('link del red');
  const gone = await server.next(
    (told) => told.served?.some(({ name, isUp }) => name === 'red' && !isUp) === true,
    from,
  );
  assert.deepEqual(gone.served, [
    { name: 'red', isUp: false, addresses: [] },
    { name: 'blue', isUp: true, addresses: ['10.2.0.1/24'] },
  ]);

  from = server.told.length;
  joinNamespaces(serverSide, clientSide, 'red');
  serverSide.ip('addr add 10.1.0.1/24 dev red');
  await server.next((told) => told.served?.[0]?.isUp === true && told.served[0].addresses.length === 1, from);
  const red = openClient(t, clientSide, 'red');
  red.broadcast(Uint8Array.from([ASK_LINK, 2, 0, 0, 0, 0, 9, 77]));
  const reply = await red.next(({ payload }) => payload[0] === 100 + ASK_LINK);
  assert.equal(reply.payload[1], 1, 'a named interface keeps its id');
  const relay = await openRelay(t, clientSide, '0.0.0.0', 67);
  clientSide.ip('addr add 10.1.0.2/24 dev red');
  const [answer] = await answerTo(relay, Uint8Array.from([ASK_UNICAST, 5]), '10.1.0.1');
  assert.deepEqual([...answer], [103, 1, ASK_UNICAST, 5]);
});

test('an interface that goes down is reported and served again when it comes up', async (t) => {
  if (!canRun(t)) return;
  const { serverSide, clientSide, server } = await makeWorld(t, ['red', 'absent']);
  const isRedUp = (told: Told): boolean | undefined => told.served?.find(({ name }) => name === 'red')?.isUp;
  assert.deepEqual(server.told[0]?.served, [
    { name: 'red', isUp: true, addresses: ['10.1.0.1/24'] },
    { name: 'absent', isUp: false, addresses: [] },
  ]);
  let from = server.told.length;
  serverSide.ip('link set red down');
  const down = await server.next((told) => isRedUp(told) === false, from);
  assert.deepEqual(down.served?.[0]?.addresses, ['10.1.0.1/24'], 'it keeps its address');
  from = server.told.length;
  serverSide.ip('link set red up');
  await server.next((told) => isRedUp(told) === true, from);
  const red = openClient(t, clientSide, 'red');
  red.broadcast(Uint8Array.from([ASK_LINK, 2, 0, 0, 0, 0, 9, 77]));
  await red.next(({ payload }) => payload[0] === 100 + ASK_LINK);
  assert.equal((await server.counters()).sendErrors, 0);
});

test('a bridge is served like any other interface, and a packet that came by its port is seen once', async (t) => {
  if (!canRun(t)) return;
  const { serverSide, clientSide, server } = await makeWorld(t, ['bridge', 'blue']);
  serverSide.ip('link add bridge type bridge');
  serverSide.ip('link set red master bridge');
  serverSide.ip('link set bridge up');
  serverSide.ip('addr add 10.4.0.1/24 dev bridge');
  await server.next((told) => told.served?.[0]?.isUp === true && told.served[0].addresses.length === 1);
  const red = openClient(t, clientSide, 'red');
  red.broadcast(Uint8Array.from([ASK_LINK, 2, 0, 0, 0, 0, 9, 77]));
  const reply = await red.next(({ payload }) => payload[0] === 100 + ASK_LINK);
  assert.equal(reply.payload[1], 1);
  assert.equal(formatIp4(reply.source), '10.4.0.1');
  assert.equal((await server.counters()).received, 1);
});

test('with all interfaces, one that gets its first address later is served from then on', async (t) => {
  if (!canRun(t)) return;
  const { serverSide, clientSide, server } = await makeWorld(t, ['all']);
  joinNamespaces(serverSide, clientSide, 'green');
  assert.deepEqual(server.told[0]?.served?.map(({ name }) => name).sort(), ['blue', 'red']);
  serverSide.ip('addr add 10.3.0.1/24 dev green');
  await server.next((told) => told.served?.some(({ name, isUp }) => name === 'green' && isUp) === true);
  const green = openClient(t, clientSide, 'green');
  green.broadcast(Uint8Array.from([ASK_BROADCAST, 1]));
  await green.next(({ payload, source }) => payload[0] === 101 && formatIp4(source) === '10.3.0.1');
});

test('a burst of many batches is answered in whole, and a packet that is too long is counted', async (t) => {
  if (!canRun(t)) return;
  const { clientSide, server } = await makeWorld(t, ['red']);
  const red = openClient(t, clientSide, 'red');
  const count = 700;
  for (let i = 0; i < count; i++) red.broadcast(Uint8Array.from([ASK_LINK, 2, 0, 0, 0, i >> 8, i & 255, 77]));
  await red.next(
    ({ payload }) => payload[0] === 102 && payload[7] === (count - 1) >> 8 && payload[8] === ((count - 1) & 255),
  );
  const order = red.seen
    .filter(({ payload }) => payload[0] === 102)
    .map(({ payload }) => payload[7]! * 256 + payload[8]!);
  assert.deepEqual(order, [...Array(count).keys()]);

  const relay = await openRelay(t, clientSide, '10.1.0.2', 67);
  const tooLong = new Uint8Array(5000);
  tooLong[0] = ASK_UNICAST;
  relay.send(tooLong, 67, '10.1.0.1');
  await answerTo(relay, Uint8Array.from([ASK_UNICAST, 5]), '10.1.0.1');
  assert.equal((await server.counters()).truncated, 1);
});

test('a throw of the listener is an uncaught exception, and later packets are still handled', async (t) => {
  if (!canRun(t)) return;
  const { clientSide, server } = await makeWorld(t, ['red']);
  const red = openClient(t, clientSide, 'red');
  red.broadcast(Uint8Array.from([ASK_THROW]));
  assert.deepEqual(await server.next((told) => told.thrown !== undefined), { thrown: 'asked to throw' });
  red.broadcast(Uint8Array.from([ASK_BROADCAST]));
  await red.next(({ payload }) => payload[0] === 101);
});

test('after close the process has nothing left to wait for', async (t) => {
  if (!canRun(t)) return;
  const { server } = await makeWorld(t, ['red', 'blue']);
  assert.equal(await server.end(), 0);
  assert.equal(server.told.at(-1)?.closed, true);
});

test('a process that exits with its sockets open exits as it says', async (t) => {
  if (!canRun(t)) return;
  const { server } = await makeWorld(t, ['red', 'blue']);
  const exit = new Promise<number | null>((resolve) => server.child.once('exit', resolve));
  server.child.stdin.write('exit\n');
  assert.equal(await exit, 3);
});

test('a send to an interface that is gone, or with a broken hardware address, is counted and not thrown', async (t) => {
  if (!canRun(t)) return;
  const namespace = makeNamespace(t);
  const io = await inNamespace(namespace, () => openFastPacketIo({ interfaces: ['lo', 'absent'] }));
  t.after(() => io.close());
  const source = ip4(0x7f000001);
  const bytes = new Uint8Array(300);
  const common = { interfaceId: 1, source, address: source, port: 68, hardware: undefined, bytes };
  io.send([
    { ...common, interfaceId: 2, hardware: new Uint8Array(6) },
    { ...common, interfaceId: 99 },
    { ...common, hardware: new Uint8Array(6) },
    { ...common, bytes: new Uint8Array(5000) },
    { ...common },
  ]);
  assert.equal(io.counters.sent, 2, 'lo and, by its source address, the unknown interface');
  assert.equal(io.counters.sendErrors, 3);
});

test('another server that has the port to itself makes opening fail', async (t) => {
  if (!canRun(t)) return;
  const namespace = makeNamespace(t);
  const opening = inNamespace(namespace, () => {
    const fd = openSocket(AF_INET, SOCK_DGRAM, 0);
    t.after(() => closeFd(fd));
    assert.equal(bindSocket(fd, inetAddress(0, 67)), 0);
    return openFastPacketIo({ interfaces: ['lo'] });
  });
  await assert.rejects(opening, { code: 'EADDRINUSE' });
});

test('without the right to packet sockets opening fails', async () => {
  const isRoot = process.getuid?.() === 0;
  if (isRoot) process.seteuid?.(65534);
  const opening = openFastPacketIo({ interfaces: ['lo'], port: 0 });
  if (isRoot) process.seteuid?.(0);
  await assert.rejects(opening, { code: 'EPERM' });
});
