import assert from 'node:assert/strict';
import test from 'node:test';
import { defaultScope } from '../../src/core/config/defaults.ts';
import type { ServedInterface } from '../../src/net/packet-io.ts';
import { ServedInterfaces } from '../../src/server/served-interfaces.ts';
import { type Ip4, parseIp4 } from '../../src/wire/units.ts';

const LAN = parseIp4('10.1.0.1') as Ip4;
const SCOPES = [
  defaultScope({
    scopeId: '10.1.0.0',
    subnetMask: '255.255.255.0',
    name: 'lan',
    startRange: '10.1.0.10',
    endRange: '10.1.0.20',
  }),
  defaultScope({
    scopeId: '10.2.0.0',
    subnetMask: '255.255.255.0',
    name: 'relayed',
    startRange: '10.2.0.10',
    endRange: '10.2.0.20',
  }),
];

function lan(interfaceId: number, isUp: boolean, addresses = [{ address: LAN, prefixLength: 24 }]): ServedInterface {
  return { interfaceId, name: 'lan', isUp, addresses, hardware: new Uint8Array(6) };
}

test('a scope on an interface that is down is unserved, one behind a relay is not', () => {
  const interfaces = new ServedInterfaces();
  assert.deepEqual(interfaces.note([lan(1, true)]), []);
  assert.deepEqual(interfaces.unserved(SCOPES), []);
  assert.deepEqual(interfaces.note([lan(1, false, [])]), ['lan']);
  assert.deepEqual(interfaces.unserved(SCOPES), [parseIp4('10.1.0.0')]);
  assert.deepEqual(interfaces.note([lan(1, false, [])]), [], 'told once');
});

test('an interface that is gone and comes back under another number serves its scope again', () => {
  const interfaces = new ServedInterfaces();
  interfaces.note([lan(1, true)]);
  assert.deepEqual(interfaces.note([]), ['lan']);
  assert.deepEqual(interfaces.unserved(SCOPES), [parseIp4('10.1.0.0')]);
  interfaces.note([lan(2, true)]);
  assert.deepEqual(interfaces.unserved(SCOPES), []);
});
