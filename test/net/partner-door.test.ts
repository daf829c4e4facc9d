/** The partner door and the calls to it, over loopback: who comes in, who does not, and why. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { type TestContext, test } from 'node:test';
import tls from 'node:tls';
import {
  type Connection,
  LINK_OUTBOUND_BYTES_MAX,
  type PartnerAlpn,
  type TlsConnection,
} from '../../src/net/connection.ts';
import { type Dialled, type DialPartnerOptions, dialPartner, dialPlain } from '../../src/net/dial-partner.ts';
import { makeIdentity } from '../../src/net/identity.ts';
import { openPartnerDoor, type PartnerDoor, type PartnerDoorOptions } from '../../src/net/partner-door.ts';

/** A test that waits longer than this has failed. */
const WAIT_MS = 5000;

const OURS = makeIdentity();
const PARTNER = makeIdentity();
const STRANGER = makeIdentity();

/** A queue that can be waited at. */
class Arrivals<T> {
  private readonly come: T[] = [];
  private readonly waiting: ((value: T) => void)[] = [];

  add(value: T): void {
    const next = this.waiting.shift();
    if (next === undefined) this.come.push(value);
    else next(value);
  }

  async next(): Promise<T> {
    const first = this.come.shift();
    if (first !== undefined) return first;
    return new Promise((resolve, reject) => {
      const tooLate = setTimeout(() => reject(new Error('nothing came')), WAIT_MS);
      this.waiting.push((value) => {
        clearTimeout(tooLate);
        resolve(value);
      });
    });
  }
}

interface TestDoor {
  readonly door: PartnerDoor;
  readonly connections: Arrivals<Connection>;
  readonly refusals: Arrivals<string>;
}

async function openDoor(t: TestContext, over: Partial<PartnerDoorOptions> = {}): Promise<TestDoor> {
  const connections = new Arrivals<Connection>();
  const refusals = new Arrivals<string>();
  const open: Connection[] = [];
  const door = await openPartnerDoor({
    port: 0,
    host: '127.0.0.1',
    identity: OURS,
    allowKey: (key) => key === PARTNER.key,
    allowUnknown: () => false,
    allowPlain: () => false,
    onConnection: (connection) => {
      open.push(connection);
      connections.add(connection);
    },
    onRefused: (_address, why) => refusals.add(why),
    ...over,
  });
  t.after(async () => {
    for (const connection of open) connection.close();
    await door.close();
  });
  return { door, connections, refusals };
}

async function dial(
  t: TestContext,
  door: PartnerDoor,
  over: Partial<DialPartnerOptions> = {},
): Promise<Dialled<TlsConnection>> {
  const result = await dialPartner({
    host: '127.0.0.1',
    port: door.port,
    alpn: 'twinlease-link/1',
    expectKey: OURS.key,
    identity: PARTNER,
    ...over,
  });
  if (result.kind === 'ok') t.after(() => result.connection.close());
  return result;
}

async function dialled(
  t: TestContext,
  door: PartnerDoor,
  over: Partial<DialPartnerOptions> = {},
): Promise<TlsConnection> {
  const result = await dial(t, door, over);
  assert.equal(result.kind, 'ok', result.kind === 'failed' ? result.why : '');
  return (result as Extract<typeof result, { kind: 'ok' }>).connection;
}

async function bytesOf(connection: Connection, count: number): Promise<string> {
  return new Promise((resolve) => {
    let all = '';
    connection.onData((bytes) => {
      all += bytes.toString('latin1');
      if (all.length >= count) resolve(all);
    });
  });
}

async function closed(connection: Connection): Promise<string> {
  return new Promise((resolve) => {
    connection.onClose(resolve);
    connection.onData(() => {});
  });
}

/** A bare TCP caller. */
async function call(t: TestContext, door: PartnerDoor): Promise<net.Socket> {
  const socket = net.connect(door.port, '127.0.0.1');
  socket.on('error', () => {});
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

for (const alpn of ['twinlease-link/1', 'twinlease-manage/1'] satisfies PartnerAlpn[]) {
  test(`two servers that know each other talk ${alpn} both ways, and each knows the other's key`, async (t) => {
    const { door, connections } = await openDoor(t);
    const caller = await dialled(t, door, { alpn });
    const called = await connections.next();
    assert.equal(called.kind, 'tls');
    if (called.kind !== 'tls') return;
    assert.deepEqual([caller.alpn, caller.peerKey], [alpn, OURS.key]);
    assert.deepEqual([called.alpn, called.peerKey, called.isKnown], [alpn, PARTNER.key, true]);
    assert.equal(called.remoteAddress, '127.0.0.1');
    caller.write(Buffer.from('hello'));
    called.write(Buffer.from('there'));
    assert.equal(await bytesOf(called, 5), 'hello');
    assert.equal(await bytesOf(caller, 5), 'there');
    assert.deepEqual(caller.exporter('EXPORTER-test'), called.exporter('EXPORTER-test'));
    assert.equal(caller.exporter('EXPORTER-test').length, 32);
    assert.notDeepEqual(caller.exporter('EXPORTER-test'), caller.exporter('EXPORTER-other'));
  });
}

test('each connection exports another value', async (t) => {
  const { door } = await openDoor(t);
  const first = await dialled(t, door);
  const second = await dialled(t, door);
  assert.notDeepEqual(first.exporter('x'), second.exporter('x'));
});

test('a caller whose key is not known is turned away, and sees its connection close before the first byte', async (t) => {
  const { door, refusals } = await openDoor(t);
  const caller = await dialled(t, door, { identity: STRANGER });
  assert.match(await refusals.next(), new RegExp(`${STRANGER.key} is not known here for twinlease-link/1`));
  assert.match(await closed(caller), /./);
});

test('a called server with another key than the partner is not talked to', async (t) => {
  const { door } = await openDoor(t);
  const result = await dial(t, door, { expectKey: STRANGER.key });
  assert.equal(result.kind === 'failed' && result.reason, 'wrong-key');
});

test('a key may be allowed for management alone', async (t) => {
  const { door, connections, refusals } = await openDoor(t, {
    allowKey: (_key, alpn) => alpn === 'twinlease-manage/1',
  });
  await dialled(t, door, { alpn: 'twinlease-manage/1' });
  assert.equal((await connections.next()).alpn, 'twinlease-manage/1');
  await dialled(t, door);
  assert.match(await refusals.next(), /not known here for twinlease-link\/1/);
});

test('while pairing is open a stranger may manage, marked as one, but never link', async (t) => {
  const { door, connections, refusals } = await openDoor(t, { allowUnknown: () => true });
  await dialled(t, door, { identity: STRANGER, alpn: 'twinlease-manage/1', expectKey: undefined });
  const called = await connections.next();
  assert.deepEqual([called.peerKey, called.kind === 'tls' && called.isKnown], [STRANGER.key, false]);
  await dialled(t, door, { identity: STRANGER });
  assert.match(await refusals.next(), /not known here/);
});

test('a copy of this very server is refused at both ends', async (t) => {
  const { door, refusals } = await openDoor(t, { allowKey: () => true });
  const result = await dial(t, door, { identity: OURS });
  assert.equal(result.kind === 'failed' && result.reason, 'own-key');
  assert.match(await refusals.next(), /same identity|closed before it was identified/);
});

function bareTls(door: PartnerDoor, options: tls.ConnectionOptions): tls.TLSSocket {
  const socket = tls.connect({ port: door.port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
  socket.on('error', () => {});
  socket.resume();
  return socket;
}

const PARTNER_TLS = { key: PARTNER.privateKeyPem, cert: PARTNER.certificatePem };

test('a caller that names no protocol, or an unknown one, is refused', async (t) => {
  const { door, refusals } = await openDoor(t);
  const none = bareTls(door, PARTNER_TLS);
  t.after(() => none.destroy());
  assert.match(await refusals.next(), /no protocol of Twinlease/);
  const other = bareTls(door, { ...PARTNER_TLS, ALPNProtocols: ['h2'] });
  t.after(() => other.destroy());
  assert.match(await refusals.next(), /handshake failed|no protocol of Twinlease/);
});

test('TLS 1.2 is refused', async (t) => {
  const { door, refusals } = await openDoor(t);
  const old = bareTls(door, { ...PARTNER_TLS, maxVersion: 'TLSv1.2', ALPNProtocols: ['twinlease-link/1'] });
  t.after(() => old.destroy());
  assert.match(await refusals.next(), /handshake failed.*(version|protocol)/i);
});

test('a caller that shows no certificate is refused', async (t) => {
  const { door, refusals } = await openDoor(t, { allowKey: () => true, allowUnknown: () => true });
  const bare = bareTls(door, { ALPNProtocols: ['twinlease-manage/1'] });
  t.after(() => bare.destroy());
  assert.match(await refusals.next(), /no usable certificate/);
});

test('a plain connection is handed over whole when its address is a foreign partner, also in single octets', async (t) => {
  const { door, connections } = await openDoor(t, { allowPlain: (address) => address === '127.0.0.1' });
  const socket = await call(t, door);
  socket.setNoDelay(true);
  for (const octet of [0, 12, 5, 6]) socket.write(Buffer.from([octet]));
  const called = await connections.next();
  assert.deepEqual([called.kind, called.peerKey, called.alpn], ['plain', undefined, undefined]);
  assert.equal(await bytesOf(called, 4), '\u0000\u000c\u0005\u0006');
  called.write(Buffer.from('ok'));
  const [answer] = (await once(socket, 'data')) as [Buffer];
  assert.equal(answer.toString(), 'ok');
});

test('a foreign partner that waits for a greeting is handed over in its silence, with what it may have said', async (t) => {
  const greeted = { allowPlain: () => true, expectsGreeting: () => true, limits: { silentMs: 20 } };
  const { door, connections } = await openDoor(t, greeted);
  const silent = await call(t, door);
  const called = await connections.next();
  called.write(Buffer.from('hello'));
  const [greeting] = (await once(silent, 'data')) as [Buffer];
  assert.equal(greeting.toString(), 'hello');
  silent.write(Buffer.from('you'));
  assert.equal(await bytesOf(called, 3), 'you');
  const slow = await call(t, door);
  slow.write(Buffer.from([0]));
  const second = await connections.next();
  slow.write(Buffer.from([12]));
  assert.equal(await bytesOf(second, 2), '\u0000\u000c');
});

test('a Twinlease server at the address of a foreign partner still comes in over TLS', async (t) => {
  const { door, connections } = await openDoor(t, { allowPlain: () => true, expectsGreeting: () => true });
  await dialled(t, door);
  const called = await connections.next();
  assert.deepEqual([called.kind, called.peerKey], ['tls', PARTNER.key]);
});

test('a caller that says nothing is not greeted where nobody waits for that', async (t) => {
  const { door, refusals } = await openDoor(t, {
    allowPlain: () => true,
    expectsGreeting: () => false,
    limits: { silentMs: 1, firstBytesMs: 40 },
  });
  await call(t, door);
  assert.match(await refusals.next(), /did not say in time/);
});

test('a plain connection from anywhere else is closed at once', async (t) => {
  const { door, refusals } = await openDoor(t);
  const socket = await call(t, door);
  socket.resume();
  const gone = once(socket, 'close');
  socket.write(Buffer.from([0, 12, 5, 6]));
  assert.match(await refusals.next(), /does not begin with TLS/);
  await gone;
});

test('a plain call to a partner of another make is an ordinary connection', async (t) => {
  const { door, connections } = await openDoor(t, { allowPlain: () => true });
  const result = await dialPlain({ host: '127.0.0.1', port: door.port, localAddress: '127.0.0.1' });
  assert.equal(result.kind, 'ok');
  if (result.kind !== 'ok') return;
  result.connection.write(Buffer.from('plain'));
  const called = await connections.next();
  assert.equal(await bytesOf(called, 5), 'plain');
  called.close();
  assert.match(await closed(result.connection), /far end closed/);
});

test('garbage that begins like TLS is refused', async (t) => {
  const { door, refusals } = await openDoor(t);
  const socket = await call(t, door);
  socket.write(Buffer.concat([Buffer.from([22, 3]), Buffer.alloc(200, 0x55)]));
  assert.match(await refusals.next(), /handshake failed/);
});

test('one octet and then silence is given up, and so is a handshake that does not go on', async (t) => {
  const { door, refusals } = await openDoor(t, { limits: { firstBytesMs: 30, handshakeMs: 30 } });
  const silent = await call(t, door);
  silent.write(Buffer.from([22]));
  assert.match(await refusals.next(), /did not say in time/);
  const halfway = await call(t, door);
  halfway.write(Buffer.from([22, 3, 1]));
  assert.match(await refusals.next(), /took too long/);
});

test('a caller that closes its sending half before it is identified is gone', async (t) => {
  const { door, refusals } = await openDoor(t);
  const socket = await call(t, door);
  socket.end(Buffer.from([22]));
  assert.match(await refusals.next(), /closed before it was identified/);
  const halfway = await call(t, door);
  halfway.end(Buffer.from([22, 3, 1]));
  assert.match(await refusals.next(), /closed before it was identified|handshake failed/);
});

test('a far end that closes its sending half ends the connection', async (t) => {
  const { door, connections } = await openDoor(t, { allowPlain: () => true });
  const socket = new net.Socket({ allowHalfOpen: true });
  t.after(() => socket.destroy());
  socket.resume();
  socket.connect(door.port, '127.0.0.1');
  socket.end(Buffer.from('last'));
  const called = await connections.next();
  let seen = '';
  called.onData((bytes) => {
    seen += bytes.toString();
  });
  assert.match(await new Promise((resolve) => called.onClose(resolve)), /far end closed/);
  assert.equal(seen, 'last');
});

test('silent callers are limited per address', async (t) => {
  const { door, refusals } = await openDoor(t, { limits: { pendingPerAddressMax: 2 } });
  await call(t, door);
  await call(t, door);
  await call(t, door);
  assert.match(await refusals.next(), /too many unidentified connections from this address/);
});

test('a crowd of silent callers pushes out its oldest, and the partner still comes in', async (t) => {
  const { door, connections, refusals } = await openDoor(t, { limits: { pendingMax: 3, pendingPerAddressMax: 10 } });
  for (let i = 0; i < 3; i++) await call(t, door);
  await dialled(t, door);
  assert.match(await refusals.next(), /pushed out/);
  assert.equal((await connections.next()).peerKey, PARTNER.key);
});

test('a place that was left is free for the next connection', async (t) => {
  const { door, connections, refusals } = await openDoor(t, { limits: { establishedMax: 1 } });
  const first = await dialled(t, door);
  const called = await connections.next();
  await dialled(t, door);
  assert.match(await refusals.next(), /too many connections/);
  const gone = closed(called);
  first.close();
  await gone;
  await dialled(t, door);
  assert.equal((await connections.next()).kind, 'tls');
});

test('what came before there was a listener is kept, and so is the reason of the end', async (t) => {
  const { door, connections } = await openDoor(t);
  const caller = await dialled(t, door);
  caller.write(Buffer.from('early'));
  const called = await connections.next();
  assert.equal(await bytesOf(called, 5), 'early');
  called.close('done here');
  const gone = closed(caller);
  assert.equal(await closed(called), 'done here');
  assert.match(await gone, /far end closed/);
});

test('the reason is told also to a listener that comes after the end', async (t) => {
  const { door, connections } = await openDoor(t);
  const caller = await dialled(t, door);
  const called = await connections.next();
  const gone = closed(called);
  caller.write(Buffer.alloc(LINK_OUTBOUND_BYTES_MAX + 1));
  await gone;
  assert.match(await closed(caller), /does not read/);
});

test('close sends what is buffered first', async (t) => {
  const { door, connections } = await openDoor(t);
  const caller = await dialled(t, door);
  const called = await connections.next();
  const length = 1024 * 1024;
  caller.write(Buffer.alloc(length, 0x61));
  caller.close();
  assert.equal((await bytesOf(called, length)).length, length);
});

test('a far end that does not read costs a bounded buffer, and then the connection', async (t) => {
  const { door, connections } = await openDoor(t);
  await dialled(t, door);
  const called = await connections.next();
  const end = closed(called);
  let most = 0;
  for (let i = 0; i < 100; i++) {
    called.write(Buffer.alloc(256 * 1024));
    most = Math.max(most, called.bufferedBytes);
  }
  assert.match(await end, /does not read/);
  assert.ok(most > 0 && most <= LINK_OUTBOUND_BYTES_MAX);
  assert.equal(called.bufferedBytes, 0);
});

test('after a change of identity later callers see the new key', async (t) => {
  const { door } = await openDoor(t);
  const next = makeIdentity();
  door.setIdentity(next);
  const caller = await dialled(t, door, { expectKey: next.key });
  assert.equal(caller.peerKey, next.key);
});

test('a call to nobody, to a silent server, or given up, fails with its reason', async (t) => {
  const silent = net.createServer(() => {});
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.after(() => silent.close());
  const address = silent.address() as net.AddressInfo;
  const options: DialPartnerOptions = {
    host: '127.0.0.1',
    port: address.port,
    alpn: 'twinlease-link/1',
    expectKey: OURS.key,
    identity: PARTNER,
  };
  const late = await dialPartner({ ...options, timeoutMs: 30 });
  assert.deepEqual(late, { kind: 'failed', reason: 'timeout', why: 'no answer within 30 ms' });

  const stop = new AbortController();
  const going = dialPartner({ ...options, signal: stop.signal });
  stop.abort();
  assert.deepEqual(await going, { kind: 'failed', reason: 'unreachable', why: 'the call was given up' });

  const { door } = await openDoor(t);
  const port = door.port;
  await door.close();
  const refused = await dialPartner({ ...options, port });
  assert.equal(refused.kind === 'failed' && refused.reason, 'unreachable');
});

test('a port that is taken rejects', async (t) => {
  const { door } = await openDoor(t);
  const options = { identity: OURS, allowKey: () => false, allowUnknown: () => false, allowPlain: () => false };
  const again = openPartnerDoor({ ...options, onConnection: () => {}, port: door.port, host: '127.0.0.1' });
  await assert.rejects(again, { code: 'EADDRINUSE' });
});
