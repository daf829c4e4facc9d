/** Exports of a Windows DHCP server: a realistic file as a whole, single rules that it does not show, and laws. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import type { ImportPlan, ReportLine } from '../../../src/import/plan.ts';
import { decodePieces, decodeText } from '../../../src/import/text-decoding.ts';
import { readWindows } from '../../../src/import/windows/read-windows.ts';
import { readInstant, readTimeSpan } from '../../../src/import/windows/values.ts';
import { readXml } from '../../../src/import/xml-reader.ts';
import { assertTaken, compareWithRecord, planText, reportText } from '../golden-plan.ts';

const FILES = join(process.cwd(), 'test/import/windows/files');
const NAME = 'corp.xml';
const TEXT = readFileSync(join(FILES, NAME), 'utf8');

function planOf(text: string): ImportPlan {
  const found = readWindows(text, { file: NAME });
  assert.ok(found.kind === 'ok', JSON.stringify(found));
  return found.plan;
}

function ipv4(inner: string): string {
  return `<DHCPServer><IPv4>${inner}</IPv4></DHCPServer>`;
}

/** A scope of 10.0.0.0/24 with more elements. */
function scopeXml(more: string, range = '<StartRange>10.0.0.10</StartRange><EndRange>10.0.0.99</EndRange>'): string {
  return `<Scope><ScopeId>10.0.0.0</ScopeId><SubnetMask>255.255.255.0</SubnetMask>${range}${more}</Scope>`;
}

function scopeOf(more: string): ImportPlan['scopes'][number] {
  const [scope] = planOf(ipv4(`<Scopes>${scopeXml(more)}</Scopes>`)).scopes;
  assert.ok(scope !== undefined);
  return scope;
}

function lineOf(plan: ImportPlan, statement: string): ReportLine {
  const found = plan.report.find((line) => line.statement.includes(statement));
  assert.ok(found !== undefined, `no line for ${statement}`);
  return found;
}

test('the export becomes the plan and the report on record', () => {
  const plan = planOf(TEXT);
  compareWithRecord(join(FILES, 'corp.plan.json'), planText(plan));
  compareWithRecord(join(FILES, 'corp.report.txt'), reportText(plan.report));
});

test('the export becomes a configuration that the server takes', () => {
  assert.ok(TEXT.split('\n').length > 300);
  assertTaken(planOf(TEXT));
});

test('every element has its line in the report, but for those inside leases and inside parts for IPv6', () => {
  const read = readXml(TEXT);
  assert.ok(read.kind === 'ok');
  const expected: string[] = [];
  const path: string[] = [];
  for (const event of read.events) {
    if (event.kind === 'close') path.pop();
    if (event.kind !== 'open') continue;
    const isInside = path.includes('Leases') || (path.includes('IPv6') && path.at(-1) !== 'IPv6');
    if (!isInside) expected.push(`${event.line} ${event.name.local}`);
    path.push(event.name.local);
  }
  assert.ok(expected.length > 500);
  const { report } = planOf(TEXT);
  assert.deepEqual(
    report.map(({ line, statement }) => `${line} ${/^<([A-Za-z0-9]+)/.exec(statement)?.[1]}`),
    expected,
  );
});

test('no secret comes into the report', () => {
  assert.ok(TEXT.includes('never-show-this'));
  assert.ok(!JSON.stringify(planOf(TEXT).report).includes('never-show-this'));
});

test('a file in UTF-16 or UTF-8, with or without a byte order mark, is the same', async () => {
  const whole = planOf(TEXT);
  const little = Buffer.from(TEXT, 'utf16le');
  const forms: Uint8Array[] = [
    Buffer.from(TEXT),
    Buffer.from(`\uFEFF${TEXT}`),
    little,
    Buffer.from(`\uFEFF${TEXT}`, 'utf16le'),
    Buffer.from(`\uFEFF${TEXT}`, 'utf16le').swap16(),
    Buffer.from(little).swap16(),
  ];
  for (const form of forms) {
    assert.deepEqual(planOf(decodeText(form)), whole);
    async function* pieces(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < form.length; at += 997) yield form.subarray(at, at + 997);
    }
    let text = '';
    for await (const piece of decodePieces(pieces())) text += piece;
    assert.deepEqual(planOf(text), whole);
  }
});

test('what Export-DhcpServer does not write is refused', () => {
  const refusals = [
    '',
    'x',
    '<Other/>',
    '<DHCPServer>',
    '<DHCPServer></DHCPserver>',
    '<!DOCTYPE a [<!ENTITY b "c">]><DHCPServer/>',
    '<DHCPServer>&unknown;</DHCPServer>',
    '<DHCPServer/><DHCPServer/>',
    '<x:DHCPServer/>',
    `${'<DHCPServer>'.repeat(100)}`,
  ];
  for (const text of refusals) assert.equal(readWindows(text, { file: NAME }).kind, 'bad', text.slice(0, 60));
  const found = readWindows('<DHCPServer>\n<IPv4>\n</DHCPServer>', { file: NAME });
  assert.ok(found.kind === 'bad' && found.line === 3);
});

test('an export without scopes, and one with a namespace, are read', () => {
  assert.deepEqual(planOf('<DHCPServer xmlns="urn:dhcp"/>').scopes, []);
  const plan = planOf(`<d:DHCPServer xmlns:d="urn:dhcp"><d:IPv4/></d:DHCPServer>`);
  assert.equal(plan.report.length, 2);
});

test('exclusions are joined and cut to the range', () => {
  const range = (start: string, end: string): string =>
    `<IPRange><StartRange>${start}</StartRange><EndRange>${end}</EndRange></IPRange>`;
  const { exclusions } = scopeOf(
    `<ExclusionRanges>${range('10.0.0.50', '10.0.0.60')}${range('10.0.0.1', '10.0.0.12')}${range('10.0.0.55', '10.0.0.70')}${range('10.0.0.200', '10.0.0.210')}</ExclusionRanges>`,
  );
  assert.deepEqual(exclusions, [
    { start: '10.0.0.10', end: '10.0.0.12' },
    { start: '10.0.0.50', end: '10.0.0.70' },
  ]);
});

test('a reservation is for a hardware address of six octets, and for a client identifier of any other length', () => {
  const reservation = (address: string, client: string): string =>
    `<Reservation><IPAddress>${address}</IPAddress><ClientId>${client}</ClientId><Name>n</Name></Reservation>`;
  const { reservations } = scopeOf(
    `<Reservations>${reservation('10.0.0.5', '00-15-5D-01-02-03')}${reservation('10.0.0.6', '01-00-15-5d-01-02-03')}${reservation('10.0.0.7', 'zz')}</Reservations>`,
  );
  assert.deepEqual(
    reservations.map(({ client }) => [client.kind, client.hex]),
    [
      ['hardware', '00155d010203'],
      ['client-id', '0100155d010203'],
    ],
  );
});

test('time spans are .NET’s, and the longest one has no end', () => {
  assert.equal(readTimeSpan('8.00:00:00'), 691_200);
  assert.equal(readTimeSpan('01:30:05'), 5405);
  assert.equal(readTimeSpan('10675199.02:48:05.4775807'), 0xffffffff);
  for (const text of ['', '8', '1:2:3:4', '24:00:00', '00:60:00', '-1.00:00:00'])
    assert.equal(readTimeSpan(text), undefined, text);
  assert.equal(scopeOf('<LeaseDuration>0.00:00:00</LeaseDuration>').leaseDurationSec, 691_200, 'the default');
});

test('an instant without a zone may be any that it can mean', () => {
  assert.deepEqual(readInstant('2026-09-29T08:00:00Z'), { earliest: 1_790_668_800, latest: 1_790_668_800 });
  assert.deepEqual(readInstant('2026-09-29T10:00:00.5+02:00'), { earliest: 1_790_668_800, latest: 1_790_668_800 });
  assert.deepEqual(readInstant('2026-09-29 08:00:00'), {
    earliest: 1_790_668_800 - 14 * 3600,
    latest: 1_790_668_800 + 12 * 3600,
  });
  for (const text of ['', '2026-09-29', '29.09.2026 08:00:00', '2026-13-29T08:00:00Z', '2026-09-29T08:00:00+99:00'])
    assert.equal(readInstant(text), undefined, text);
});

const VALUES: readonly (readonly [type: string, texts: readonly string[], hex: string | undefined])[] = [
  ['Byte', ['0x8'], '08'],
  ['Byte', ['300'], undefined],
  ['Word', ['258'], '0102'],
  ['DWord', ['1'], '00000001'],
  ['IPv4Address', ['10.0.0.1'], '0a000001'],
  ['IPv4Address', ['gateway'], undefined],
  ['IPv4Address', ['10.0.0.1', '10.0.0.2'], undefined],
  ['String', ['ab'], '6162'],
  ['BinaryData', ['0x01', '0xff', '3'], '01ff03'],
  ['BinaryData', ['0x01ff03'], '01ff03'],
  ['BinaryData', ['xyz'], undefined],
  ['EncapsulatedData', ['0x0102'], '0102'],
];

test('values have the form that their definition says', () => {
  for (const [type, texts, hex] of VALUES) {
    const definition = `<OptionDefinition><Name>x</Name><OptionId>240</OptionId><Type>${type}</Type><MultiValued>false</MultiValued></OptionDefinition>`;
    const value = `<OptionValue><OptionId>240</OptionId>${texts.map((text) => `<Value>${text}</Value>`).join('')}</OptionValue>`;
    const plan = planOf(
      ipv4(`<OptionDefinitions>${definition}</OptionDefinitions><OptionValues>${value}</OptionValues>`),
    );
    assert.deepEqual(
      plan.server.options?.map((one) => one.hex),
      hex === undefined ? [] : [hex],
      `${type} ${texts}`,
    );
    if (hex === undefined) assert.equal(lineOf(plan, '<OptionValue>').carried, 'not-carried');
    assertTaken(plan);
  }
});

test('a relationship is reported with the way to make a new pair', () => {
  const line = lineOf(planOf(TEXT), '<FailoverRelationship>');
  assert.equal(line.carried, 'not-carried');
  assert.match(lineOf(planOf(TEXT), '<FailoverRelationships>').advice ?? '', /twinlease pair invite/);
});

test('law: no text makes the reader throw', () => {
  const xml = fc.letrec<{ node: string }>((tie) => ({
    node: fc.oneof(
      { depthSize: 'small' },
      fc.string(),
      fc.constantFrom('<', '&amp;', '&#x41;', '<![CDATA[x]]>', '<!-- c -->', '<?pi?>', '&lol;', ']]>'),
      fc
        .tuple(
          fc.constantFrom('IPv4', 'Scopes', 'Scope', 'ScopeId', 'Leases', 'Value', 'a:b'),
          fc.array(tie('node'), { maxLength: 3 }),
        )
        .map(([name, inner]) => `<${name}>${inner.join('')}</${name}>`),
    ),
  }));
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        xml.node.map((inner) => `<DHCPServer>${inner}</DHCPServer>`),
      ),
      (text) => {
        const found = readWindows(text, { file: NAME });
        if (found.kind === 'ok') assertTaken(found.plan);
      },
    ),
  );
});

test('law: a truncated export is refused', () => {
  const whole = TEXT.trimEnd();
  fc.assert(
    fc.property(fc.integer({ min: 0, max: whole.length - 1 }), (length) => {
      assert.equal(readWindows(whole.slice(0, length), { file: NAME }).kind, 'bad');
    }),
    { numRuns: 40 },
  );
});

test('law: any texts at the places of an export give a plan that the server takes', () => {
  const odd = fc.oneof(
    fc.constantFrom(
      '',
      '0',
      '-1',
      '10.0.0.5',
      '255.255.255.0',
      '0.0.0.0',
      '4294967296',
      '8.00:00:00',
      'DWord',
      'true',
      '0x4d53',
      'Vendor',
      'v',
    ),
    fc.integer({ min: 0, max: 260 }).map(String),
    fc.ipV4(),
    fc.string({ unit: fc.constantFrom('a', 'é', ' ', '0', '-') }),
  );
  const element = (name: string, inner: fc.Arbitrary<string>): fc.Arbitrary<string> =>
    inner.map((text) => `<${name}>${text}</${name}>`);
  const record = (
    name: string,
    fields: readonly string[],
    more: fc.Arbitrary<string> = fc.constant(''),
  ): fc.Arbitrary<string> =>
    fc
      .tuple(...fields.map((field) => fc.option(element(field, odd), { nil: '' })), more)
      .map((parts) => `<${name}>${parts.join('')}</${name}>`);
  const list = (name: string, item: fc.Arbitrary<string>): fc.Arbitrary<string> =>
    fc.array(item, { maxLength: 4 }).map((items) => `<${name}>${items.join('')}</${name}>`);
  const option = record('OptionValue', ['OptionId', 'Value', 'Value', 'VendorClass', 'UserClass']);
  const known = fc.constantFrom(
    '<ScopeId>10.0.0.0</ScopeId><SubnetMask>255.255.255.0</SubnetMask><StartRange>10.0.0.10</StartRange><EndRange>10.0.0.99</EndRange>',
    '<ScopeId>10.0.1.0</ScopeId><SubnetMask>255.255.255.0</SubnetMask><StartRange>10.0.1.1</StartRange><EndRange>10.0.1.254</EndRange>',
    '',
  );
  const reservation = record('Reservation', ['IPAddress', 'ClientId', 'Name', 'Type'], list('OptionValues', option));
  const scope = fc
    .tuple(
      known,
      record('X', [
        'ScopeId',
        'SubnetMask',
        'Name',
        'LeaseDuration',
        'State',
        'Type',
        'Delay',
        'MaxBootpClients',
        'SuperScopeName',
      ]),
      list('ExclusionRanges', record('IPRange', ['StartRange', 'EndRange'])),
      list('Reservations', reservation),
      list('OptionValues', option),
    )
    .map(([first, fields, ...rest]) => `<Scope>${first}${fields.slice(3, -4)}${rest.join('')}</Scope>`);
  const whole = fc.tuple(
    list('Classes', record('Class', ['Name', 'Type', 'Data'])),
    list(
      'OptionDefinitions',
      record('OptionDefinition', ['Name', 'OptionId', 'Type', 'MultiValued', 'VendorClass', 'Description']),
    ),
    list('OptionValues', option),
    list('Scopes', scope),
  );
  fc.assert(
    fc.property(whole, (parts) => {
      assertTaken(planOf(ipv4(parts.join(''))));
    }),
    { numRuns: 300 },
  );
});
