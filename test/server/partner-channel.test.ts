/** The management channel over real TLS on loopback: the introduction and its abuse, and calls that are lost, late or too many. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Partner } from '../../src/core/config/model.ts';
import type { TlsConnection } from '../../src/net/connection.ts';
import { dialPartner } from '../../src/net/dial-partner.ts';
import { type Identity, makeIdentity } from '../../src/net/identity.ts';
import { jsonChannel } from '../../src/net/json-frames.ts';
import { openPartnerDoor, type PartnerDoor } from '../../src/net/partner-door.ts';
import {
  type ChannelHost,
  INVITATION_LIFE_SEC,
  INVITATION_TRIES_MAX,
  PartnerChannel,
} from '../../src/server/partner-channel.ts';

type Handler = ChannelHost['handle'];

/** A server that is nothing but its door and its channel. */
class End {
  readonly identity: Identity = makeIdentity();
  readonly partners: Partner[] = [];
  readonly events: string[] = [];
  readonly methods: string[] = [];
  readonly channel: PartnerChannel;
  nowSec = 1_800_000_000;
  handler: Handler = async (_partner, method) => ({ kind: 'ok', value: `${method} done` });
  /** Sees each connection that this end opens, and may put something in its place. */
  onDialled: (connection: TlsConnection) => TlsConnection = (connection) => connection;
  dials = 0;
  #door: PartnerDoor | undefined;

  constructor(name: string) {
    this.channel = new PartnerChannel({
      dial: async ({ host, port, expectKey }) => this.onDialled(await this.dial(host, port, expectKey)),
      partnerOf: (key) => this.partners.find((one) => one.key === key),
      handle: (partner, method, params) => {
        this.methods.push(method);
        return this.handler(partner, method, params);
      },
      nowSec: () => this.nowSec,
      ownKey: () => this.identity.key,
      serverName: name,
      doorPort: () => this.port,
      adopt: async (partner) => {
        this.partners.push(partner);
      },
      event: (code) => this.events.push(code),
    });
  }

  static async open(t: TestContext, name: string): Promise<End> {
    const end = new End(name);
    end.#door = await openPartnerDoor({
      port: 0,
      host: '127.0.0.1',
      identity: end.identity,
      allowKey: (key) => end.partners.some((one) => one.key === key),
      allowUnknown: () => end.channel.isPairingOpen,
      allowPlain: () => false,
      onConnection: (connection) => (connection.kind === 'tls' ? end.channel.accept(connection) : connection.close()),
    });
    t.after(async () => {
      end.channel.close();
      await end.#door?.close();
    });
    return end;
  }

  get port(): number {
    return this.#door?.port ?? 0;
  }

  async dial(host: string, port: number, expectKey: string): Promise<TlsConnection> {
    this.dials++;
    const { identity } = this;
    const dialled = await dialPartner({ host, port, expectKey, alpn: 'twinlease-manage/1', identity });
    if (dialled.kind === 'ok') return dialled.connection;
    throw new Error(dialled.why);
  }

  async accept(code: string, from: End): Promise<string> {
    const answer = await this.channel.acceptInvitation(code, '127.0.0.1', from.port);
    return answer.kind === 'ok' ? 'introduced' : answer.problem.code;
  }

  knows(other: End): Partner | undefined {
    return this.partners.find((one) => one.key === other.identity.key);
  }
}

async function two(t: TestContext): Promise<{ inviter: End; guest: End }> {
  const [inviter, guest] = await Promise.all([End.open(t, 'inviter'), End.open(t, 'guest')]);
  return { inviter, guest };
}

async function introduced(t: TestContext): Promise<{ inviter: End; guest: End }> {
  const ends = await two(t);
  assert.equal(await ends.guest.accept(ends.inviter.channel.invite().code, ends.inviter), 'introduced');
  return ends;
}

/** The code with another secret, and the inviter's own key. */
function guessed(code: string): string {
  const bytes = Buffer.from(code, 'base64url');
  bytes[0]! ^= 1;
  return bytes.toString('base64url');
}

test('after an introduction each knows the other’s key, name and door', async (t) => {
  const { inviter, guest } = await introduced(t);
  assert.deepEqual(guest.knows(inviter), {
    key: inviter.identity.key,
    name: 'inviter',
    host: '127.0.0.1',
    port: inviter.port,
  });
  assert.deepEqual(inviter.knows(guest), {
    key: guest.identity.key,
    name: 'guest',
    host: '127.0.0.1',
    port: guest.port,
  });
});

test('a code is good once', async (t) => {
  const { inviter, guest } = await two(t);
  const { code } = inviter.channel.invite();
  assert.equal(await guest.accept(code, inviter), 'introduced');
  const third = await End.open(t, 'third');
  assert.equal(await third.accept(code, inviter), 'pair/refused');
  assert.equal(inviter.knows(third), undefined);
});

test('five wrong codes end the invitation, and then the right one is refused as well', async (t) => {
  const { inviter, guest } = await two(t);
  const { code } = inviter.channel.invite();
  for (let n = 0; n < INVITATION_TRIES_MAX; n++) {
    assert.equal(inviter.channel.isPairingOpen, true);
    assert.equal(await guest.accept(guessed(code), inviter), 'pair/wrong-code');
  }
  assert.equal(inviter.channel.isPairingOpen, false);
  assert.equal(await guest.accept(code, inviter), 'pair/refused');
  assert.deepEqual([inviter.partners, guest.partners], [[], []]);
  assert.deepEqual(inviter.events, Array(INVITATION_TRIES_MAX).fill('pair/wrong-code'));
});

test('a code lives ten minutes, and a newer one voids it', async (t) => {
  const { inviter, guest } = await two(t);
  const { code, expiresAt } = inviter.channel.invite();
  assert.equal(expiresAt, inviter.nowSec + INVITATION_LIFE_SEC);
  inviter.nowSec += INVITATION_LIFE_SEC - 1;
  assert.equal(inviter.channel.isPairingOpen, true);
  inviter.nowSec += 1;
  assert.equal(inviter.channel.isPairingOpen, false);
  assert.equal(await guest.accept(code, inviter), 'pair/refused');
  const newer = inviter.channel.invite().code;
  assert.equal(await guest.accept(code, inviter), 'pair/wrong-code');
  assert.equal(await guest.accept(newer, inviter), 'introduced');
});

test('a code entered on the server that made it, or cut short, is refused without a call', async (t) => {
  const { inviter, guest } = await two(t);
  const { code } = inviter.channel.invite();
  assert.equal(await inviter.accept(code, inviter), 'pair/own-code');
  for (const bad of ['', code.slice(0, -1), `${code}AA`, 'not a code']) {
    assert.equal(await guest.accept(bad, inviter), 'pair/code-malformed', bad);
  }
  assert.equal(guest.dials + inviter.dials, 0);
});

test('a code is good only at the server whose key is in it', async (t) => {
  const { inviter, guest } = await two(t);
  const other = await End.open(t, 'other');
  other.channel.invite();
  assert.equal(await guest.accept(inviter.channel.invite().code, other), 'pair/unreachable');
  assert.deepEqual([guest.partners, other.partners], [[], []]);
});

test('a proof that was taken from one TLS session is worth nothing in another', async (t) => {
  const { inviter, guest } = await two(t);
  const { code } = inviter.channel.invite();
  const taken: Uint8Array[] = [];
  guest.onDialled = (connection) => {
    // Somebody in between keeps what the guest says for himself.
    const write = (bytes: Uint8Array): void => {
      taken.push(Uint8Array.from(bytes));
      connection.close();
    };
    return new Proxy(connection, {
      get: (target, name) => {
        if (name === 'write') return write;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  };
  assert.equal(await guest.accept(code, inviter), 'pair/refused');
  const session = await guest.dial('127.0.0.1', inviter.port, inviter.identity.key);
  const answer = new Promise<unknown>((resolve) => {
    jsonChannel(session, { onValue: resolve, onClose: () => resolve('closed') });
  });
  for (const bytes of taken) session.write(bytes);
  assert.equal(((await answer) as { problem?: { code?: string } }).problem?.code, 'pair/wrong-code');
  session.close();
  assert.deepEqual(inviter.partners, []);
});

test('an inviter that cannot prove that it knows the secret is not believed', async (t) => {
  const { inviter, guest } = await two(t);
  const { code } = inviter.channel.invite();
  inviter.channel.accept = (connection) => {
    const channel = jsonChannel(connection, {
      onValue: () => channel.send({ id: 1, kind: 'ok', value: { proof: '00'.repeat(32), name: 'inviter' } }),
      onClose: () => undefined,
    });
  };
  assert.equal(await guest.accept(code, inviter), 'pair/refused');
  assert.deepEqual(guest.partners, []);
});

test('a stranger who came in while pairing is open can do nothing but pair', async (t) => {
  const { inviter, guest } = await two(t);
  inviter.channel.invite();
  const asPartner = { key: inviter.identity.key, name: 'inviter', host: '127.0.0.1', port: inviter.port };
  const answer = await guest.channel.call(asPartner, 'change.prepare', {}, 5000);
  assert.ok(answer.kind === 'failed');
  assert.equal(answer.problem.code, 'pair/not-introduced');
  assert.deepEqual(inviter.methods, []);
});

test('calls of partners are answered over one connection, each by its own answer', async (t) => {
  const { inviter, guest } = await introduced(t);
  const dialsBefore = guest.dials;
  let letGo = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  inviter.handler = async (partner, method) => {
    if (method === 'slow') await held;
    return { kind: 'ok', value: `${method} of ${partner.name}` };
  };
  const partner = guest.knows(inviter)!;
  const slow = guest.channel.call(partner, 'slow', {}, 5000);
  assert.deepEqual(await guest.channel.call(partner, 'quick', {}, 5000), { kind: 'ok', value: 'quick of guest' });
  letGo();
  assert.deepEqual(await slow, { kind: 'ok', value: 'slow of guest' });
  assert.equal(guest.dials - dialsBefore, 1);
});

test('a handler that throws costs that call only, and is told to the log and not to the partner', async (t) => {
  const { inviter, guest } = await introduced(t);
  inviter.handler = async () => {
    throw new Error('a fault with details');
  };
  const partner = guest.knows(inviter)!;
  const answer = await guest.channel.call(partner, 'faulty', {}, 5000);
  assert.ok(answer.kind === 'failed');
  assert.equal(answer.problem.code, 'server/internal');
  assert.doesNotMatch(JSON.stringify(answer), /details/);
  assert.deepEqual(inviter.events, ['server/partner-call-failed']);
  inviter.handler = async () => ({ kind: 'ok', value: 'well again' });
  assert.equal((await guest.channel.call(partner, 'next', {}, 5000)).kind, 'ok');
});

test('a call without an answer may have arrived; one that was never sent has not; both leave the channel usable', async (t) => {
  const { inviter, guest } = await introduced(t);
  const partner = guest.knows(inviter)!;
  inviter.handler = () => new Promise(() => undefined);
  const late = await guest.channel.call(partner, 'never', {}, 30);
  assert.ok(late.kind === 'unreachable' && late.mayHaveArrived);
  const nobody = await guest.channel.call({ ...partner, key: 'ee'.repeat(32) }, 'hello', {}, 5000);
  assert.ok(nobody.kind === 'unreachable' && !nobody.mayHaveArrived);
  const large = await guest.channel.call(partner, 'large', { text: 'x'.repeat(17 * 1024 * 1024) }, 5000);
  assert.ok(large.kind === 'unreachable' && !large.mayHaveArrived);
  inviter.handler = async () => ({ kind: 'ok', value: 'here' });
  assert.deepEqual(await guest.channel.call(partner, 'hello', {}, 5000), { kind: 'ok', value: 'here' });
});

test('a connection that breaks ends the calls under way, and the next call opens another', async (t) => {
  const { inviter, guest } = await introduced(t);
  const partner = guest.knows(inviter)!;
  inviter.handler = async () => {
    inviter.channel.close();
    return await new Promise(() => undefined);
  };
  const broken = await guest.channel.call(partner, 'never', {}, 5000);
  assert.ok(broken.kind === 'unreachable' && broken.mayHaveArrived);
  inviter.handler = async () => ({ kind: 'ok', value: 'again' });
  assert.equal((await guest.channel.call(partner, 'hello', {}, 5000)).kind, 'ok');
});

test('a partner that has more calls open than allowed is cut off', async (t) => {
  const { inviter, guest } = await introduced(t);
  inviter.handler = () => new Promise(() => undefined);
  const partner = guest.knows(inviter)!;
  const calls = await Promise.all(Array.from({ length: 65 }, () => guest.channel.call(partner, 'never', {}, 5000)));
  assert.ok(calls.every((one) => one.kind === 'unreachable'));
  assert.equal(inviter.methods.length, 64);
});

test('a cut link neither calls nor lets in, and heals', async (t) => {
  const { inviter, guest } = await introduced(t);
  const partner = guest.knows(inviter)!;
  assert.equal((await guest.channel.call(partner, 'hello', {}, 5000)).kind, 'ok');
  inviter.channel.setCut(true);
  assert.equal((await guest.channel.call(partner, 'hello', {}, 5000)).kind, 'unreachable');
  const back = inviter.knows(guest)!;
  const cut = await inviter.channel.call(back, 'hello', {}, 5000);
  assert.ok(cut.kind === 'unreachable' && !cut.mayHaveArrived);
  inviter.channel.setCut(false);
  assert.equal((await guest.channel.call(partner, 'hello', {}, 5000)).kind, 'ok');
  assert.equal((await inviter.channel.call(back, 'hello', {}, 5000)).kind, 'ok');
});

test('reconnecting leaves calls under way alone and opens a new connection for the next', async (t) => {
  const { inviter, guest } = await introduced(t);
  const partner = guest.knows(inviter)!;
  let letGo = (): void => undefined;
  const arrived = new Promise<void>((hasArrived) => {
    inviter.handler = (_partner, method) => {
      if (method !== 'slow') return Promise.resolve({ kind: 'ok', value: method });
      hasArrived();
      return new Promise((resolve) => {
        letGo = () => resolve({ kind: 'ok', value: 'slow' });
      });
    };
  });
  const slow = guest.channel.call(partner, 'slow', {}, 5000);
  await arrived;
  const dialsBefore = guest.dials;
  guest.channel.reconnect();
  assert.equal((await guest.channel.call(partner, 'next', {}, 5000)).kind, 'ok');
  assert.equal(guest.dials - dialsBefore, 1);
  letGo();
  assert.deepEqual(await slow, { kind: 'ok', value: 'slow' });
});
