/** The option table and its readers and writers: laws over every row, known octets from the RFCs, text for operators. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NAMES_PER_OPTION_MAX } from '../../../src/wire/dhcp/domain-name.ts';
import {
  DHCP_OPTIONS,
  decodeOption,
  encodeOption,
  OPTION_VALUE_BYTES_MAX,
  type OptionData,
  type OptionDefinitionType,
  type OptionType,
  optionByName,
  optionFromText,
  optionName,
  optionToText,
  optionType,
  standardDefinitionOf,
} from '../../../src/wire/dhcp/options.ts';
import { fromHex, type Ip4, ip4, maskOf, parseIp4, type Read, toHex } from '../../../src/wire/units.ts';

const hex = (text: string): Uint8Array => fromHex(text.replaceAll(' ', ''))!;
const address = (text: string): Ip4 => parseIp4(text)!;
const codes = Object.keys(DHCP_OPTIONS).map(Number);
const valued = codes.filter((code) => optionType(code) !== 'marker');

function value<T>(read: Read<T>): T {
  assert.equal(read.kind, 'ok', read.kind === 'bad' ? read.why : '');
  return (read as { value: T }).value;
}

function refused(read: Read<unknown>, why: RegExp): void {
  assert.equal(read.kind, 'bad');
  if (read.kind === 'bad') assert.match(read.why, why);
}

/** Data with byte strings as hexadecimal and maps as lists, so that it compares by value. */
function plain(data: unknown): unknown {
  if (data instanceof Uint8Array) return toHex(data);
  if (data instanceof Map) return [...data].map(plain);
  if (Array.isArray(data)) return data.map(plain);
  if (typeof data === 'object' && data !== null) {
    return Object.fromEntries(Object.entries(data).map(([key, item]) => [key, plain(item)]));
  }
  return data;
}

// --- arbitrary data for each type

const anyIp4 = fc.nat(0xffffffff).map(ip4);
const bytesOf = (minLength: number, maxLength: number) => fc.uint8Array({ minLength, maxLength });
const text = fc
  .oneof(fc.string({ maxLength: 60 }), fc.string({ unit: 'grapheme', maxLength: 30 }))
  .map((raw) => raw.replace(/\0+$/, ''));
const label = fc.oneof(
  fc.stringMatching(/^[a-z][a-z0-9-]{0,14}$/),
  bytesOf(1, 12).map((octets) => Array.from(octets, escaped).join('')),
);
const domain = fc.oneof(
  fc.constant('.'),
  fc.array(label, { minLength: 1, maxLength: 5 }).map((labels) => labels.join('.')),
);
const domains = fc.array(domain, { minLength: 1, maxLength: 8 });
const subOption = (min: number, max: number, valueMax: number) =>
  fc.record({ code: fc.integer({ min, max }), bytes: bytesOf(0, valueMax) });
const number = (min: number, max: number) =>
  fc.integer({ min, max }).map((n): OptionData => ({ kind: 'number', value: n }));
const domainData = domains.map((names): OptionData => ({ kind: 'domains', names }));
const addresses = (minLength: number) =>
  fc.array(anyIp4, { minLength, maxLength: 20 }).map((list): OptionData => ({ kind: 'ipv4-list', addresses: list }));

function escaped(octet: number): string {
  if (octet === 0x2e || octet === 0x5c) return `\\${String.fromCharCode(octet)}`;
  return octet > 0x20 && octet < 0x7f ? String.fromCharCode(octet) : `\\${String(octet).padStart(3, '0')}`;
}

const fqdn: fc.Arbitrary<OptionData> = fc
  .record({
    flags: fc.nat(15),
    rcode1: fc.nat(255),
    rcode2: fc.nat(255),
    ascii: text,
    name: fc.oneof(fc.constant(''), domain),
    isRooted: fc.boolean(),
  })
  .map(({ ascii, name, isRooted, ...start }) => ({
    ...start,
    kind: 'fqdn',
    name: (start.flags & 4) === 0 ? ascii : name + (isRooted && name !== '' && name !== '.' ? '.' : ''),
  }));

const DATA: Record<Exclude<OptionType, 'marker'>, fc.Arbitrary<OptionData>> = {
  ipv4: anyIp4.map((one) => ({ kind: 'ipv4', address: one })),
  'ipv4-list': addresses(1),
  'ipv4-list-or-empty': addresses(0),
  'ipv4-pairs': fc
    .array(fc.tuple(anyIp4, anyIp4), { minLength: 1, maxLength: 10 })
    .map((pairs) => ({ kind: 'ipv4-pairs', pairs })),
  u8: number(0, 255),
  u16: number(0, 65535),
  u32: number(0, 0xffffffff),
  s32: number(-0x80000000, 0x7fffffff),
  'u8-list': fc.array(fc.nat(255), { minLength: 1 }).map((values) => ({ kind: 'numbers', values })),
  'u16-list': fc.array(fc.nat(65535), { minLength: 1 }).map((values) => ({ kind: 'numbers', values })),
  boolean: fc.boolean().map((fact) => ({ kind: 'boolean', value: fact })),
  string: text.map((one) => ({ kind: 'string', text: one })),
  domain: domain.map((name) => ({ kind: 'domains', names: [name] })),
  'domain-list': domainData,
  'compressed-domain-list': domainData,
  'sip-servers': fc.oneof(domainData, addresses(1)),
  routes: fc
    .array(
      fc.record({ destination: anyIp4, prefixLength: fc.nat(32), router: anyIp4 }).map((route) => ({
        ...route,
        destination: ip4(route.destination & maskOf(route.prefixLength)),
      })),
      { minLength: 1, maxLength: 10 },
    )
    .map((routes) => ({ kind: 'routes', routes })),
  'vendor-classes': fc
    .array(fc.record({ enterprise: fc.nat(0xffffffff), bytes: bytesOf(0, 255) }), { minLength: 1, maxLength: 4 })
    .map((classes) => ({ kind: 'vendor-classes', classes })),
  'vendor-options': fc
    .array(
      fc.record({ enterprise: fc.nat(0xffffffff), subOptions: fc.array(subOption(0, 255, 30), { maxLength: 5 }) }),
      { minLength: 1, maxLength: 4 },
    )
    .map((vendors) => ({ kind: 'vendor-options', vendors })),
  'sub-options': fc
    .array(subOption(1, 254, 255), { maxLength: 6 })
    .map((subOptions) => ({ kind: 'sub-options', subOptions })),
  'relay-agent': fc
    .array(fc.tuple(fc.nat(255), bytesOf(0, 600)), { maxLength: 6 })
    .map((entries) => ({ kind: 'relay-agent', info: new Map(entries) })),
  'client-id': fc.record({ type: fc.nat(255), id: bytesOf(1, 254) }).map((id) => ({ kind: 'client-id', ...id })),
  'user-class': fc
    .array(bytesOf(1, 255), { minLength: 1, maxLength: 4 })
    .map((classes) => ({ kind: 'user-class', classes })),
  fqdn,
  flag: fc.constant({ kind: 'flag' }),
  status: fc.record({ code: fc.nat(255), message: text }).map((status) => ({ kind: 'status', ...status })),
  bytes: bytesOf(0, 300).map((bytes) => ({ kind: 'bytes', bytes })),
};

function dataFor(code: number): fc.Arbitrary<OptionData> {
  const type = optionType(code);
  assert.ok(type !== 'marker');
  return DATA[type];
}

const anyOption = fc.constantFrom(...valued).chain((code) => dataFor(code).map((data) => ({ code, data })));

test('the table has every row once, in order of number, with a name of its own', () => {
  assert.ok(codes.length > 150);
  const names = codes.map(optionName);
  assert.equal(new Set(names).size, names.length);
  for (const name of names) assert.match(name, /^[a-z0-9]+(-[a-z0-9]+)*$/);
});

test('each option is found by its name in any case, by its number, and by option-N', () => {
  for (const code of codes) {
    assert.equal(optionByName(optionName(code)), code);
    assert.equal(optionByName(optionName(code).toUpperCase()), code);
  }
  for (let code = 1; code <= 254; code++) {
    assert.equal(optionByName(String(code)), code);
    assert.equal(optionByName(`option-${code}`), code);
  }
  assert.equal(optionName(224), 'option-224');
  for (const wrong of ['', '0', '255', '256', 'option-0', '01', '1e1', 'nothing', 'constructor']) {
    assert.equal(optionByName(wrong), undefined, wrong);
  }
});

for (const code of valued) {
  test(`option ${code} (${optionName(code)}): data read back unchanged, and no cut is thrown at or misread`, () => {
    fc.assert(
      fc.property(dataFor(code), fc.nat(), (data, place) => {
        const bytes = encodeOption(code, data);
        assert.deepEqual(plain(value(decodeOption(code, bytes))), plain(data));
        const cut = bytes.subarray(0, place % (bytes.length + 1));
        const read = decodeOption(code, cut);
        if (read.kind === 'bad') assert.ok(read.why !== '' && read.at >= 0 && read.at <= cut.length);
        // A prefix that is read means just these octets, in one canonical form.
        else assert.deepEqual(plain(value(decodeOption(code, encodeOption(code, read.value)))), plain(read.value));
      }),
      { numRuns: 40 },
    );
  });
}

test('types of fixed length refuse every other length', () => {
  const lengths: Partial<Record<OptionType, number>> = { ipv4: 4, u8: 1, u16: 2, u32: 4, s32: 4, boolean: 1, flag: 0 };
  for (const code of valued) {
    const wanted = lengths[optionType(code)];
    if (wanted === undefined) continue;
    for (let length = 0; length <= 9; length++) {
      assert.equal(
        decodeOption(code, new Uint8Array(length)).kind,
        length === wanted ? 'ok' : 'bad',
        `${code}/${length}`,
      );
    }
  }
});

test('lists refuse lengths that are no multiple of their unit, and emptiness', () => {
  const units: Partial<Record<OptionType, number>> = { 'ipv4-list': 4, 'ipv4-pairs': 8, 'u16-list': 2, 'u8-list': 1 };
  for (const code of valued) {
    const unit = units[optionType(code)];
    if (unit === undefined) continue;
    for (let length = 0; length <= 17; length++) {
      const isWhole: boolean = length > 0 && length % unit === 0;
      assert.equal(decodeOption(code, new Uint8Array(length)).kind, isWhole ? 'ok' : 'bad', `${code}/${length}`);
    }
  }
  assert.equal(decodeOption(68, new Uint8Array(0)).kind, 'ok');
});

test('random octets never throw for any code, and what is read can be written', () => {
  fc.assert(
    fc.property(fc.nat(255), bytesOf(0, 80), (code, bytes) => {
      const read = decodeOption(code, bytes);
      if (read.kind === 'ok') encodeOption(code, read.value);
      assert.ok(Array.isArray(optionToText(code, bytes)));
    }),
    { numRuns: 2000 },
  );
});

test('unknown options are octets that survive', () => {
  fc.assert(
    fc.property(fc.integer({ min: 224, max: 248 }), bytesOf(0, 300), (code, bytes) => {
      assert.equal(toHex(encodeOption(code, value(decodeOption(code, bytes)))), toHex(bytes));
    }),
  );
});

test('a value that was read does not change with the buffer it came from', () => {
  fc.assert(
    fc.property(anyOption, ({ code, data }) => {
      const bytes = Buffer.from(encodeOption(code, data));
      const read = value(decodeOption(code, bytes));
      const before = plain(read);
      bytes.fill(0xee);
      assert.deepEqual(plain(read), before);
    }),
  );
});

test('domain search lists are read as RFC 3397 compresses them, and written no longer', () => {
  const wire = hex('03656e67056170706c6503636f6d00 096d61726b6574696e67c004');
  const names = ['eng.apple.com', 'marketing.apple.com'];
  assert.deepEqual(value(decodeOption(119, wire)), { kind: 'domains', names });
  assert.equal(toHex(encodeOption(119, { kind: 'domains', names })), toHex(wire));
});

test('compression pointers that lead nowhere, forwards or in circles are refused', () => {
  refused(decodeOption(119, hex('c000')), /backwards/);
  refused(decodeOption(119, hex('0161c000')), /backwards/);
  refused(decodeOption(119, hex('0161c005 016200')), /backwards/);
  refused(decodeOption(119, hex('016100 0162c003')), /backwards/);
  refused(decodeOption(119, hex('0161c0')), /cut off/);
  refused(decodeOption(119, hex('4161')), /reserved/);
  refused(decodeOption(119, hex('0561')), /past the end/);
});

test('a compressed list cannot blow up: names and their number are bounded', () => {
  const long = [...new Array(3)].map(() => `3f${'61'.repeat(63)}`).join('');
  refused(decodeOption(119, hex(`${long}3f${'61'.repeat(63)}00`)), /longer than 255/);
  const many = hex(`016100${'c000'.repeat(NAMES_PER_OPTION_MAX)}`);
  refused(decodeOption(119, many), /more than 256/);
  assert.equal(decodeOption(119, many.subarray(0, many.length - 2)).kind, 'ok');
});

test('tails beyond the reach of a pointer are written in full', () => {
  const names = Array.from({ length: 80 }, (_, i) => Array.from({ length: 4 }, () => `${i}`.padEnd(60, 'x')).join('.'));
  const twice = [...names, ...names];
  const bytes = encodeOption(119, { kind: 'domains', names: twice });
  assert.ok(bytes.length > 0x3fff);
  assert.deepEqual(value(decodeOption(119, bytes)), { kind: 'domains', names: twice });
});

test('classless routes are those of RFC 3442', () => {
  const wire = hex('00 0a000001 08 0a 0a000002 11 0aff80 0a000003 20 01020304 0a000004');
  const routes = [
    { destination: address('0.0.0.0'), prefixLength: 0, router: address('10.0.0.1') },
    { destination: address('10.0.0.0'), prefixLength: 8, router: address('10.0.0.2') },
    { destination: address('10.255.128.0'), prefixLength: 17, router: address('10.0.0.3') },
    { destination: address('1.2.3.4'), prefixLength: 32, router: address('10.0.0.4') },
  ];
  for (const code of [121, 249]) {
    assert.deepEqual(value(decodeOption(code, wire)), { kind: 'routes', routes });
    assert.equal(toHex(encodeOption(code, { kind: 'routes', routes })), toHex(wire));
  }
  refused(decodeOption(121, hex('21 0a000001 0a000001')), /33 is not a prefix length/);
  refused(decodeOption(121, hex('18 0a0001 0a0000')), /past the end/);
  const loose = value(decodeOption(121, hex('09 0aff 0a000001')));
  assert.ok(loose.kind === 'routes');
  assert.equal(loose.routes[0]?.destination, address('10.128.0.0'));
});

test('vendor options are grouped by enterprise, and a lying inner length is refused at its place', () => {
  const wire = hex('00000de9 06 0104 74657374 00000009 02 0500');
  assert.deepEqual(plain(value(decodeOption(125, wire))), {
    kind: 'vendor-options',
    vendors: [
      { enterprise: 3561, subOptions: [{ code: 1, bytes: '74657374' }] },
      { enterprise: 9, subOptions: [{ code: 5, bytes: '' }] },
    ],
  });
  assert.deepEqual(decodeOption(125, hex('00000de9 03 010574')), {
    kind: 'bad',
    why: 'sub-option 1 runs past the end',
    at: 5,
  });
  refused(decodeOption(125, hex('00000de9 07 010474657374')), /run past the end/);
  refused(decodeOption(124, hex('00000de9')), /cut off/);
});

test('encapsulated options stop at the end code and skip pads', () => {
  const read = value(decodeOption(43, hex('00 010161 00 0200 ff 0909')));
  assert.deepEqual(plain(read), {
    kind: 'sub-options',
    subOptions: [
      { code: 1, bytes: '61' },
      { code: 2, bytes: '' },
    ],
  });
});

test('a user class is read in the form of RFC 3004, and in the bare form of Windows', () => {
  const read = (text: string) => plain(value(decodeOption(77, hex(text))));
  assert.deepEqual(read('0161 026263'), { kind: 'user-class', classes: ['61', '6263'] });
  assert.deepEqual(read('69505845'), { kind: 'user-class', classes: ['69505845'] });
  assert.deepEqual(read('0161 00'), { kind: 'user-class', classes: ['016100'] });
});

test('the client name is read in canonical form, complete or partial, and in ASCII', () => {
  const read = (text: string) => value(decodeOption(81, hex(text)));
  const start = { kind: 'fqdn', rcode1: 0, rcode2: 0 };
  assert.deepEqual(read('050000 04686f7374 07657861 6d706c65 00'), { ...start, flags: 5, name: 'host.example.' });
  assert.deepEqual(read('040000 04686f7374'), { ...start, flags: 4, name: 'host' });
  assert.deepEqual(read('010000 686f7374'), { ...start, flags: 1, name: 'host' });
  assert.deepEqual(read('040000'), { ...start, flags: 4, name: '' });
  refused(decodeOption(81, hex('0000')), /instead of 3 or more/);
  refused(decodeOption(81, hex('040000 0161 00 62')), /bytes follow/);
  refused(decodeOption(81, hex('000000 ff')), /not text/);
});

test('trailing NULs of texts are dropped, and what is not UTF-8 is refused', () => {
  assert.deepEqual(value(decodeOption(12, hex('686f73740000'))), { kind: 'string', text: 'host' });
  assert.deepEqual(value(decodeOption(12, hex('c3bc'))), { kind: 'string', text: 'ü' });
  refused(decodeOption(12, hex('fc')), /UTF-8/);
});

test('a boolean is 0 or 1', () => {
  refused(decodeOption(19, hex('02')), /neither/);
});

test('SIP servers are names or addresses', () => {
  assert.deepEqual(value(decodeOption(120, hex('01 0a000001'))), {
    kind: 'ipv4-list',
    addresses: [address('10.0.0.1')],
  });
  refused(decodeOption(120, hex('02 0a000001')), /encoding 2/);
  assert.deepEqual(decodeOption(120, hex('00 0561')), { kind: 'bad', why: 'a label runs past the end', at: 1 });
});

// --- text

test('what is shown for a canonical value reads back to the same octets, for every option', () => {
  for (const code of valued.filter((one) => one !== 52)) {
    fc.assert(
      fc.property(dataFor(code), (data) => {
        // A NUL inside a text is refused from operators, although it can be received.
        fc.pre(data.kind !== 'string' || !data.text.includes('\0'));
        const bytes = encodeOption(code, data);
        assert.equal(toHex(value(optionFromText(code, optionToText(code, bytes)))), toHex(bytes));
      }),
      { numRuns: 25 },
    );
  }
});

test('operators see and write the usual forms', () => {
  const cases: readonly (readonly [number, string, readonly string[]])[] = [
    [1, 'ffffff00', ['255.255.255.0']],
    [3, '0a0000010a000002', ['10.0.0.1', '10.0.0.2']],
    [33, '0a0000000a000001', ['10.0.0.0', '10.0.0.1']],
    [2, 'fffff1f0', ['-3600']],
    [51, '000a8c00', ['691200']],
    [57, '05dc', ['1500']],
    [19, '01', ['1']],
    [55, '010306', ['1', '3', '6']],
    [15, '6578616d706c652e636f6d', ['example.com']],
    [119, '016100016200', ['a', 'b']],
    [121, '080a0a000001', ['10.0.0.0/8 10.0.0.1']],
    [43, '0104', ['0x01', '0x04']],
    [120, '010a000001', ['10.0.0.1']],
    [80, '', []],
  ];
  for (const [code, wire, texts] of cases) {
    assert.deepEqual(optionToText(code, hex(wire)), texts, `${code}`);
    assert.equal(toHex(value(optionFromText(code, texts))), wire, `${code}`);
  }
});

test('numbers may be hexadecimal, booleans words, routes with a comma, binary in any common form', () => {
  const cases: readonly (readonly [number, readonly string[], string])[] = [
    [51, ['0xE10'], '00000e10'],
    [2, ['0xfffff1f0'], 'fffff1f0'],
    [19, ['True'], '01'],
    [19, ['false'], '00'],
    [121, ['10.0.0.0/8,10.0.0.1'], '080a0a000001'],
    [121, ['0x08', '0x0a', '0xA', '0x00', '0x0', '0x01'], '080a0a000001'],
    [43, ['0104'], '0104'],
    [43, ['0x0104'], '0104'],
    [43, ['01:04-05 06'], '01040506'],
    [43, ['0x35'], '35'],
    [119, ['example.com.'], '076578616d706c6503636f6d00'],
    [80, [''], ''],
  ];
  for (const [code, texts, wire] of cases) assert.equal(toHex(value(optionFromText(code, texts))), wire, texts.join());
});

test('texts that do not fit their option are refused with the index of the text', () => {
  const cases: readonly (readonly [number, readonly string[], RegExp, number])[] = [
    [3, ['10.0.0.1', '10.0.0'], /not an IPv4 address/, 1],
    [3, [], /instead of/, 0],
    [1, ['255.0.0.0', '255.0.0.0'], /instead of 4/, 0],
    [33, ['10.0.0.0'], /multiple of 8/, 0],
    [51, ['-1'], /not a number/, 0],
    [51, ['4294967296'], /out of range/, 0],
    [51, ['1.5'], /not a number/, 0],
    [51, [''], /not a number/, 0],
    [57, ['65536'], /out of range/, 0],
    [2, ['-2147483649'], /out of range/, 0],
    [2, ['2147483648'], /out of range/, 0],
    [19, ['2'], /neither/, 0],
    [12, ['a', 'b'], /one value/, 0],
    [12, ['a\0b'], /NUL/, 0],
    [12, ['\ud800'], /Unicode/, 0],
    [119, ['a.com', 'a..com'], /empty label/, 1],
    [119, ['münchen.de'], /printable ASCII/, 0],
    [119, [`${'a'.repeat(64)}.com`], /longer than 63/, 0],
    [119, [`${'a.'.repeat(128)}com`], /longer than 255/, 0],
    [121, ['10.0.0.0/33 10.0.0.1'], /destination\/prefix/, 0],
    [121, ['10.0.0.1/8 10.0.0.1'], /beyond the prefix/, 0],
    [43, ['0x'], /hexadecimal/, 0],
    [43, ['123'], /hexadecimal/, 0],
    [43, ['01', 'zz'], /hexadecimal/, 1],
    [80, ['1'], /no value/, 0],
    [0, ['1'], /not an option/, 0],
    [52, ['1'], /not an option/, 0],
    [255, [], /not an option/, 0],
    [224, ['00'.repeat(OPTION_VALUE_BYTES_MAX + 1)], /longer than/, 0],
    [12, ['a'.repeat(OPTION_VALUE_BYTES_MAX + 1)], /longer than/, 0],
  ];
  for (const [code, texts, why, at] of cases) {
    const read = optionFromText(code, texts);
    refused(read, why);
    assert.equal(read.kind === 'bad' && read.at, at, `${code} ${texts.join().slice(0, 40)}`);
  }
});

test("an operator's definition decides the form, as on Windows", () => {
  const cases: readonly (readonly [OptionDefinitionType, string, readonly string[]])[] = [
    ['byte', '01ff', ['1', '255']],
    ['word', '0102', ['258']],
    ['dword', 'ffffffff00000001', ['4294967295', '1']],
    ['dword-dword', 'ffffffffffffffff', ['18446744073709551615']],
    ['ipv4-address', '0a0000010a000002', ['10.0.0.1', '10.0.0.2']],
    ['string', '6162', ['ab']],
    ['binary', '0aff', ['0x0a', '0xff']],
    ['encapsulated', '0101ff', ['0x01', '0x01', '0xff']],
  ];
  for (const [type, wire, texts] of cases) {
    // 119 has a form of its own, which the definition replaces.
    for (const code of [224, 119]) {
      assert.deepEqual(optionToText(code, hex(wire), type), texts);
      assert.equal(toHex(value(optionFromText(code, texts, type))), wire);
    }
  }
  refused(optionFromText(224, [], 'byte'), /missing/);
  refused(optionFromText(224, [], 'ipv4-address'), /missing/);
  refused(optionFromText(224, ['256'], 'byte'), /out of range/);
  refused(optionFromText(224, ['18446744073709551616'], 'dword-dword'), /out of range/);
});

test('a value without the form of its type is shown as binary', () => {
  assert.deepEqual(optionToText(3, hex('0a00')), ['0x0a', '0x00']);
  assert.deepEqual(optionToText(224, hex('0a'), 'word'), ['0x0a']);
  assert.deepEqual(optionToText(12, hex('fc')), ['0xfc']);
});

test('a registered option has the definition that Windows gives it', () => {
  assert.deepEqual(standardDefinitionOf(3), { type: 'ipv4-address', isArray: true });
  assert.deepEqual(standardDefinitionOf(51), { type: 'dword', isArray: false });
  assert.deepEqual(standardDefinitionOf(15), { type: 'string', isArray: false });
  assert.deepEqual(standardDefinitionOf(43), { type: 'binary', isArray: false });
  assert.equal(standardDefinitionOf(224)?.type, 'binary');
  assert.equal(standardDefinitionOf(255), undefined);
});
