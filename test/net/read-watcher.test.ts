/** The poll handle: when it calls, in which turn, and that it stops. */
import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { closeSync, openSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import koffi from 'koffi';
import {
  AF_INET,
  bindSocket,
  boundPort,
  closeFd,
  EAGAIN,
  inetAddress,
  openSocket,
  receiveBytes,
  SOCK_DGRAM,
} from '../../src/net/native/libc.ts';
import { ReadWatcher } from '../../src/net/native/read-watcher.ts';

const pipe = koffi.load(null).func('int pipe(int *)') as (ends: Int32Array) => number;

/** A UDP socket on loopback, and a way to send to it. */
function openTarget(t: TestContext): { fd: number; send: (octet: number) => void } {
  const fd = openSocket(AF_INET, SOCK_DGRAM, 0);
  assert.ok(fd >= 0);
  assert.equal(bindSocket(fd, inetAddress(0x7f000001, 0)), 0);
  const port = boundPort(fd);
  const sender = dgram.createSocket('udp4');
  t.after(() => sender.close());
  return { fd, send: (octet) => sender.send(Buffer.from([octet]), port, '127.0.0.1') };
}

test('it calls for as long as there is something to read, in a turn where promises are run', async (t) => {
  const { fd, send } = openTarget(t);
  const buffer = Buffer.alloc(16);
  const events: string[] = [];
  await new Promise<void>((resolve) => {
    const watcher = new ReadWatcher(
      fd,
      () => {
        events.push(`read ${receiveBytes(fd, buffer, 0) === 1 ? buffer[0] : 'nothing'}`);
        void Promise.resolve().then(() => {
          events.push('promise');
          if (events.length < 6) return;
          watcher.close();
          closeFd(fd);
          resolve();
        });
      },
      assert.fail,
    );
    for (const octet of [1, 2, 3]) send(octet);
  });
  assert.deepEqual(events, ['read 1', 'promise', 'read 2', 'promise', 'read 3', 'promise']);
});

test('after close it does not call any more, and closing twice does no harm', async (t) => {
  const { fd, send } = openTarget(t);
  const other = openTarget(t);
  const watcher = new ReadWatcher(fd, () => assert.fail('it was closed'), assert.fail);
  send(1);
  watcher.close();
  watcher.close();
  // The other socket becomes readable later than the closed one would have been.
  await new Promise<void>((resolve) => {
    const second = new ReadWatcher(
      other.fd,
      () => {
        second.close();
        closeFd(other.fd);
        resolve();
      },
      assert.fail,
    );
    other.send(1);
  });
  assert.equal(receiveBytes(fd, Buffer.alloc(16), 0), 1, 'the packet is still there');
  assert.equal(receiveBytes(fd, Buffer.alloc(16), 0), -EAGAIN);
  closeFd(fd);
});

test('a descriptor that has failed is told once', async () => {
  const ends = new Int32Array(2);
  assert.equal(pipe(ends), 0);
  const [readEnd, writeEnd] = [ends[0]!, ends[1]!];
  const failure = await new Promise<Error>((resolve) => {
    const watcher = new ReadWatcher(
      writeEnd,
      () => assert.fail('nothing to read'),
      (cause) => {
        watcher.close();
        resolve(cause);
      },
    );
    closeFd(readEnd);
  });
  assert.match(failure.message, /uv_poll/);
  closeFd(writeEnd);
});

test('a descriptor that cannot be polled throws the system error', () => {
  const fd = openSync(process.execPath, 'r');
  try {
    assert.throws(() => new ReadWatcher(fd, assert.fail, assert.fail), { code: 'EPERM' });
  } finally {
    closeSync(fd);
  }
});
