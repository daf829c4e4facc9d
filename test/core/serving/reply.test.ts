/** The reply: options and their order, echoes, times, sizes, boot fields, and where it goes. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Config, OptionValue, Scope } from '../../../src/core/config/model.ts';
import { toHex } from '../../../src/wire/units.ts';
import { rightsWith, sec } from './fake-rights.ts';
import {
  at,
  configOf,
  DIRECT,
  hexBytes,
  LOCAL,
  makeWorld,
  optionCodes,
  RELAY_ONLY,
  RELAYED,
  read,
  SERVER,
  type Sent,
  scopeOf,
  uint32,
} from './world.ts';

const ROUTER = { code: 3, hex: '0a000001' };
const DNS = { code: 6, hex: '0a000005' };
const DOMAIN = { code: 15, hex: '6c6162' };
const NOT_CARED_FOR: ReadonlySet<number> = new Set([53, 54, 51, 58, 59]);

function ascii(text: string): string {
  return toHex(Uint8Array.from(text, (character) => character.charCodeAt(0)));
}

function offerOf(config: Config, sent: Sent = {}): ReturnType<typeof read> {
  return read(makeWorld(config).send(sent));
}

function optionOf(config: Config, sent: Sent, code: number): string | undefined {
  const value = offerOf(config, sent).packet.options.get(code);
  return value === undefined ? undefined : toHex(value);
}

function withOptions(options: readonly OptionValue[], more: Partial<Scope> = {}): Config {
  return configOf([scopeOf({ options, ...more })]);
}

describe('options', () => {
  it('come in the order in which the client asks for them, and no others (RFC 2132 9.8)', () => {
    const offer = offerOf(withOptions([ROUTER, DNS, DOMAIN]), { options: { 55: '0f060303' } });
    assert.deepEqual(
      optionCodes(offer.packet).filter((code) => !NOT_CARED_FOR.has(code)),
      [1, 15, 6, 3],
    );
  });

  it('come all to a client that asks for none by name', () => {
    const offer = offerOf(withOptions([ROUTER, DNS]));
    assert.deepEqual(
      optionCodes(offer.packet).filter((code) => !NOT_CARED_FOR.has(code)),
      [1, 3, 6],
    );
  });

  it('take the subnet mask from the scope', () => {
    assert.equal(optionOf(withOptions([]), {}, 1), 'ffffff00');
  });

  it('rank reservation before scope before server', () => {
    const reservation = {
      address: '10.0.0.50',
      client: { kind: 'hardware', hex: '020000000001' },
      name: '',
      description: '',
      type: 'Both',
      options: [{ code: 6, hex: '0a000007' }],
    } as const;
    const config = configOf([scopeOf({ options: [{ code: 6, hex: '0a000006' }], reservations: [reservation] })], {
      options: [{ code: 6, hex: '0a000005' }, DOMAIN],
    });
    assert.equal(optionOf(config, {}, 6), '0a000007');
    assert.equal(optionOf(config, { mac: '02 00 00 00 00 02' }, 6), '0a000006');
    assert.equal(optionOf(config, {}, 15), '6c6162');
    assert.equal(optionOf(configOf([scopeOf()], { options: [DNS] }), {}, 6), '0a000005');
  });

  it('for a vendor class go to clients whose option 60 begins with it', () => {
    const config = withOptions([DNS, { code: 6, hex: '0a000009', vendorClass: 'PXEClient' }]);
    assert.equal(optionOf(config, { options: { 60: ascii('PXEClient:Arch:00007') } }, 6), '0a000009');
    assert.equal(optionOf(config, { options: { 60: ascii('PXE') } }, 6), '0a000005');
    assert.equal(optionOf(config, {}, 6), '0a000005');
  });

  it('for a user class go to clients whose option 77 holds it, with lengths (RFC 3004 4) or, as Windows sends it, without', () => {
    const config = withOptions([DNS, { code: 6, hex: '0a000009', userClass: 'lab' }]);
    assert.equal(optionOf(config, { options: { 77: `01${ascii('x')}03${ascii('lab')}` } }, 6), '0a000009');
    assert.equal(optionOf(config, { options: { 77: ascii('lab') } }, 6), '0a000009');
    assert.equal(optionOf(config, { options: { 77: `04${ascii('labs')}` } }, 6), '0a000005');
  });

  it('for both classes rank before those for one', () => {
    const config = withOptions([
      { code: 6, hex: '0a00000c', vendorClass: 'V', userClass: 'U' },
      { code: 6, hex: '0a00000b', vendorClass: 'V' },
      { code: 6, hex: '0a00000a', userClass: 'U' },
    ]);
    assert.equal(optionOf(config, { options: { 60: ascii('V'), 77: ascii('U') } }, 6), '0a00000c');
    assert.equal(optionOf(config, { options: { 60: ascii('V'), 77: ascii('W') } }, 6), '0a00000b');
    assert.equal(optionOf(config, { options: { 60: ascii('W'), 77: ascii('U') } }, 6), '0a00000a');
  });

  it("of a vendor's own numbers travel inside option 43 (RFC 2132 8.4)", () => {
    const config = {
      ...withOptions([{ code: 1, hex: '00000002', vendorClass: 'MSFT 5.0' }]),
      optionDefinitions: [
        { code: 1, name: 'Disable NetBIOS', type: 'dword', isArray: false, vendorClass: 'MSFT 5.0' } as const,
      ],
    };
    assert.equal(optionOf(config, { options: { 60: ascii('MSFT 5.0') } }, 43), '010400000002');
    assert.equal(optionOf(config, { options: { 60: ascii('MSFT 5.0') } }, 1), 'ffffff00');
    assert.equal(optionOf(config, {}, 43), undefined);
  });

  it('RFC 6842: the client identifier comes back, in a NAK too', () => {
    assert.equal(optionOf(withOptions([]), { clientId: '00 0a 0b' }, 61), '000a0b');
    const nak = read(makeWorld().send({ type: 'request', clientId: '00 0a 0b', requested: '192.0.2.1' }));
    assert.equal(toHex(nak.packet.options.get(61)!), '000a0b');
  });

  it('RFC 3046 2.2: relay information comes back as it came and last, in a NAK too, readable or not', () => {
    for (const relay of ['01 02 aa bb', '01 ff 00']) {
      const offer = read(makeWorld().send({ giaddr: '10.0.0.1', relay, clientId: '00 aa' }, RELAYED));
      assert.equal(toHex(offer.packet.options.get(82)!), relay.replaceAll(' ', ''));
      assert.equal(optionCodes(offer.packet).at(-1), 82);
    }
    const nak = read(
      makeWorld().send({ type: 'request', giaddr: '10.0.0.1', relay: '01 01 aa', requested: '192.0.2.1' }, RELAYED),
    );
    assert.equal(toHex(nak.packet.options.get(82)!), '0101aa');
  });

  it('RFC 3046: relay information comes back without giaddr too', () => {
    assert.equal(optionOf(withOptions([]), { relay: '01 01 aa' }, 82), '0101aa');
  });

  it('RFC 3011 3: the subnet selection comes back', () => {
    assert.equal(optionOf(withOptions([]), { options: { 118: '0a000000' } }, 118), '0a000000');
  });
});

describe('T1 and T2', () => {
  const times = (config: Config, grantedSec?: number): number[] => {
    const rights = rightsWith(grantedSec === undefined ? {} : { grantSec: () => sec(grantedSec) });
    const { options } = read(makeWorld(config, () => rights).send({})).packet;
    return [51, 58, 59].map((code) => uint32(options.get(code)));
  };
  it('RFC 2131 4.4.5: are a half and seven eighths of the lease', () => {
    assert.deepEqual(times(withOptions([])), [1000, 500, 875]);
  });
  it('follow options 58 and 59 while the lease is as long as configured', () => {
    const config = withOptions([
      { code: 58, hex: '00000064' },
      { code: 59, hex: '000000c8' },
    ]);
    assert.deepEqual(times(config), [1000, 100, 200]);
    assert.deepEqual(times(config, 300), [300, 150, 262]);
  });
  it('failover specification 6.2: come from the granted time, not from the wanted one', () => {
    assert.deepEqual(times(withOptions([]), 60), [60, 30, 52]);
  });
  it('RFC 2131 4.4.5: useless configured values are passed over', () => {
    const config = withOptions([
      { code: 58, hex: '000003e8' },
      { code: 59, hex: '000000c8' },
    ]);
    assert.deepEqual(times(config), [1000, 500, 875]);
  });
});

describe('boot fields', () => {
  it('options 66 and 67 fill sname, file and siaddr', () => {
    const config = withOptions([
      { code: 66, hex: ascii('10.0.0.9') },
      { code: 67, hex: ascii('boot/x.efi') },
    ]);
    const { packet } = offerOf(config, { options: { 55: '4243' } });
    assert.equal(toHex(packet.sname), ascii('10.0.0.9'));
    assert.equal(toHex(packet.file), ascii('boot/x.efi'));
    assert.equal(packet.siaddr, at('10.0.0.9'));
    assert.equal(packet.options.has(66) && packet.options.has(67), true);
  });
  it('a server name that is no address leaves siaddr empty, and a file alone names this server', () => {
    assert.equal(offerOf(withOptions([{ code: 66, hex: ascii('tftp.lab') }])).packet.siaddr, 0);
    assert.equal(offerOf(withOptions([{ code: 67, hex: ascii('a') }])).packet.siaddr, at(SERVER));
  });
  it('texts too long for the fields stay in the options', () => {
    const { packet } = offerOf(withOptions([{ code: 67, hex: ascii('a'.repeat(128)) }]), {
      options: { 57: '05dc' },
    });
    assert.equal(packet.file.length, 0);
    assert.equal(packet.options.get(67)?.length, 128);
  });
});

describe('size', () => {
  const big = withOptions([{ code: 43, hex: '00'.repeat(1000) }]);
  it('RFC 2131 2: stays within 548 octets unless the client takes more', () => {
    assert.equal(offerOf(big).plan.bytes.length <= 548, true);
    assert.equal(offerOf(big).packet.options.has(43), false);
  });
  it('RFC 2132 9.10: follows option 57 up to the frame', () => {
    assert.equal(offerOf(big, { options: { 57: 'ffff' } }).packet.options.get(43)?.length, 1000);
    assert.equal(offerOf(big, { options: { 57: 'ffff' } }).plan.bytes.length <= 1472, true);
    assert.equal(offerOf(big, { options: { 57: '0001' } }).plan.bytes.length <= 548, true);
  });
  it('RFC 1542 2.1: is at least 300 octets', () =>
    assert.equal(offerOf(withOptions([])).plan.bytes.length >= 300, true));
});

describe('RFC 2131 4.1 destinations', () => {
  const destination = (sent: Sent, ingress = LOCAL): unknown => read(makeWorld().send(sent, ingress)).plan.destination;
  it('a client without address: in a frame to its hardware address', () => {
    assert.deepEqual(destination({}), {
      kind: 'link-layer',
      address: at('10.0.0.10'),
      htype: 1,
      hardware: hexBytes('020000000001'),
    });
  });
  it('the broadcast flag: by broadcast', () => assert.deepEqual(destination({ flags: 0x8000 }), { kind: 'broadcast' }));
  it('a relay: to giaddr, port 67', () => {
    assert.deepEqual(destination({ giaddr: '10.0.0.1' }, { ...RELAYED, fromPort: 6767 }), {
      kind: 'relay',
      address: at('10.0.0.1'),
      port: 67,
    });
  });
  it('RFC 8357: a relay that asks for it: to its own port', () => {
    assert.deepEqual(destination({ giaddr: '10.0.0.1', relay: '13 00' }, { ...RELAYED, fromPort: 6767 }), {
      kind: 'relay',
      address: at('10.0.0.1'),
      port: 6767,
    });
  });
  it('a relay in front of a relay-only server on another port: back to where it came from', () => {
    assert.deepEqual(destination({ giaddr: '10.0.0.1' }, RELAY_ONLY), {
      kind: 'relay',
      address: at('127.0.0.1'),
      port: 6700,
    });
  });
  it('a NAK goes by broadcast, or through the relay with the broadcast flag (RFC 2131 4.3.2)', () => {
    const local = read(makeWorld().send({ type: 'request', ciaddr: '192.0.2.9' }, { ...DIRECT, toAddress: undefined }));
    assert.deepEqual(local.plan.destination, { kind: 'broadcast' });
    const relayed = read(makeWorld().send({ type: 'request', requested: '192.0.2.9', giaddr: '10.0.0.1' }, RELAYED));
    assert.deepEqual(relayed.plan.destination, { kind: 'relay', address: at('10.0.0.1'), port: 67 });
    assert.equal(relayed.packet.flags, 0x8000);
  });
  it('a NAK to a client that renews from behind a router goes to its address: a broadcast would not get there', () => {
    const south = scopeOf({ scopeId: '10.0.1.0', startRange: '10.0.1.10', endRange: '10.0.1.20' });
    const world = makeWorld(configOf([scopeOf(), south]));
    const nakTo = (ciaddr: string): unknown =>
      read(world.send({ type: 'request', ciaddr }, { ...DIRECT, fromAddress: at(ciaddr) })).plan.destination;
    assert.deepEqual(nakTo('10.0.1.15'), { kind: 'unicast', address: at('10.0.1.15'), port: 68 });
    assert.deepEqual(nakTo('10.0.0.15'), { kind: 'broadcast' });
  });
  it('leaves by the interface of the question', () => {
    assert.equal(read(makeWorld().send({}, { ...LOCAL, interfaceId: 5 })).plan.interfaceId, 5);
  });
  it('RFC 2131 table 3: xid, flags, giaddr and chaddr come back, ciaddr only in an ACK', () => {
    const world = makeWorld();
    const offer = read(world.send({ giaddr: '10.0.0.1', flags: 0x8000 }, RELAYED)).packet;
    assert.equal(offer.op, 2);
    assert.equal(offer.xid, 0x12345678);
    assert.equal(offer.flags, 0x8000);
    assert.equal(offer.giaddr, at('10.0.0.1'));
    assert.equal(toHex(offer.chaddr), '020000000001');
    assert.equal(offer.ciaddr, 0);
    world.lease({});
    assert.equal(read(world.send({ type: 'request', ciaddr: '10.0.0.10' }, DIRECT)).packet.ciaddr, at('10.0.0.10'));
  });
});
