/**
 * Configurations of Kea: a realistic file as a whole, single rules that it does not show, and laws. The file is such that Kea itself
 * takes it.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import type { Json, Member } from '../../../src/import/kea/json.ts';
import { readJson } from '../../../src/import/kea/json.ts';
import { type KeaRead, readKea } from '../../../src/import/kea/read-kea.ts';
import { membersIn } from '../../../src/import/kea/report.ts';
import type { ImportPlan, ReportLine } from '../../../src/import/plan.ts';
import { needProgram } from '../../net/need.ts';
import { assertTaken, compareWithRecord, planText, reportText } from '../golden-plan.ts';

const FILES = join(process.cwd(), 'test/import/kea/files');
const NAME = 'campus.conf';
const TEXT = readFileSync(join(FILES, NAME), 'utf8');

async function read(text: string, included: Readonly<Record<string, string>> = {}): Promise<KeaRead> {
  return await readKea(text, { file: NAME, readInclude: async (path) => included[path] });
}

async function planOf(text: string, included: Readonly<Record<string, string>> = {}): Promise<ImportPlan> {
  const found = await read(text, included);
  assert.ok(found.kind === 'ok', JSON.stringify(found));
  return found.plan;
}

/** A plan from the contents of `Dhcp4`. */
async function planOfDhcp4(inner: object): Promise<ImportPlan> {
  return await planOf(JSON.stringify({ Dhcp4: inner }));
}

function lineOf(plan: ImportPlan, statement: string): ReportLine {
  const found = plan.report.find((line) => line.statement.includes(statement));
  assert.ok(found !== undefined, `no line for ${statement}`);
  return found;
}

function allMembers(value: Json): Member[] {
  return membersIn(value).flatMap((member) => [member, ...allMembers(member.value)]);
}

test('the campus becomes the plan and the report on record', async () => {
  const plan = await planOf(TEXT);
  compareWithRecord(join(FILES, 'campus.plan.json'), planText(plan));
  compareWithRecord(join(FILES, 'campus.report.txt'), reportText(plan.report));
});

test('the campus becomes a configuration that the server takes', async () => {
  assert.ok(TEXT.split('\n').length > 300);
  assertTaken(await planOf(TEXT));
});

test('Kea takes the campus', (t) => {
  if (!needProgram(t, 'kea-dhcp4')) return;
  const checked = spawnSync('kea-dhcp4', ['-t', join(FILES, NAME)], { encoding: 'utf8' });
  assert.equal(checked.status, 0, checked.stdout + checked.stderr);
});

test('every member of every object has its line in the report', async () => {
  const json = await readJson(TEXT, NAME, undefined);
  assert.ok(json.kind === 'ok');
  const { report } = await planOf(TEXT);
  const members = allMembers(json.value);
  assert.ok(members.length > 250);
  assert.deepEqual(
    report.map(({ line, statement }) => `${line} ${/^"([^"]*)"/.exec(statement)?.[1]}`),
    members.map(({ line, key }) => `${line} ${key}`),
  );
});

test('no secret comes into the report', async () => {
  const { report } = await planOf(TEXT);
  assert.ok(TEXT.includes('do-not-show-this'));
  assert.ok(!JSON.stringify(report).includes('do-not-show-this'));
});

test('an included file is a part of the list that it stands in, with its own lines', async () => {
  const included = {
    'nets.json':
      '# offices\n{ "subnet": "10.1.0.0/24", "pools": [ { "pool": "10.1.0.5-10.1.0.9" } ] },\n<?include "more.json"?>',
    'more.json': '\n{ "subnet": "10.2.0.0/24",\n "pools": [] }',
  };
  const plan = await planOf('{ "Dhcp4": { "subnet4": [ <?include "nets.json"?> ] } }', included);
  assert.deepEqual(
    plan.scopes.map(({ scopeId }) => scopeId),
    ['10.1.0.0', '10.2.0.0'],
  );
  const line = lineOf(plan, '10.2.0.0/24');
  assert.deepEqual([line.file, line.line], ['more.json', 2]);
  assert.deepEqual(lineOf(plan, '<?include "more.json"?>').file, 'nets.json');
});

test('an included file that is missing or includes itself is refused with its place', async () => {
  assert.deepEqual(await read('{\n"Dhcp4": <?include "gone.json"?> }'), {
    kind: 'bad',
    why: 'the included file gone.json cannot be read',
    line: 2,
  });
  const loop = await read('{ "Dhcp4": <?include "a.json"?> }', { 'a.json': '<?include "a.json"?>' });
  assert.equal(loop.kind, 'bad');
});

test('what is no configuration of Kea’s DHCPv4 server is refused with the line', async () => {
  const refusals = [
    '',
    '{}',
    '[]',
    '{ "Dhcp6": {} }',
    '{ "Dhcp4": 5 }',
    '{ "Dhcp4": { "a": 1\n"b": 2 } }',
    '{ "Dhcp4": { "a": 1, "a": 2 } }',
    '{ "Dhcp4": {} } x',
    '{ "Dhcp4": { "a": "x\ny" } }',
    '/* { "Dhcp4": {} }',
    '['.repeat(100),
  ];
  for (const text of refusals) {
    const found = await read(text);
    assert.equal(found.kind, 'bad', text);
  }
  assert.equal(((await read('{ "Dhcp4": { "a": 1\n"b": 2 } }')) as { line: number }).line, 2);
});

test('pools are one range with exclusions where no pool is', async () => {
  const { scopes } = await planOfDhcp4({
    subnet4: [
      {
        subnet: '10.0.0.0/24',
        pools: [{ pool: '10.0.0.64/26' }, { pool: '10.0.0.10-10.0.0.20' }, { pool: '10.0.0.21 - 10.0.0.30' }],
      },
    ],
  });
  const { startRange, endRange, exclusions } = scopes[0]!;
  assert.deepEqual([startRange, endRange], ['10.0.0.10', '10.0.0.127']);
  assert.deepEqual(exclusions, [{ start: '10.0.0.31', end: '10.0.0.63' }]);
});

test('what is kept for a class in Kea is not opened to everybody', async () => {
  const plan = await planOfDhcp4({
    subnet4: [
      { subnet: '10.0.0.0/24', pools: [{ pool: '10.0.0.10-10.0.0.20', 'client-class': 'phones' }] },
      { subnet: '10.0.1.0/24', 'client-class': 'phones', pools: [{ pool: '10.0.1.10-10.0.1.20' }] },
    ],
    'shared-networks': [{ name: 'n', 'client-class': 'x', subnet4: [{ subnet: '10.0.2.0/24', pools: [] }] }],
  });
  assert.deepEqual(plan.scopes[0]?.exclusions, [{ start: '10.0.0.1', end: '10.0.0.254' }]);
  assert.deepEqual(
    plan.scopes.map(({ state }) => state),
    ['Active', 'Inactive', 'Inactive'],
  );
  assert.equal(lineOf(plan, '10.0.0.10-10.0.0.20').carried, 'not-carried');
  assertTaken(plan);
});

test('settings of a shared network hold for its networks that have none of their own', async () => {
  const { scopes } = await planOfDhcp4({
    'valid-lifetime': 100,
    'shared-networks': [
      {
        name: 'floor',
        'valid-lifetime': 200,
        'option-data': [{ name: 'routers', data: '10.0.0.1' }],
        subnet4: [
          { subnet: '10.0.0.0/24', pools: [] },
          {
            subnet: '10.0.1.0/24',
            pools: [],
            'valid-lifetime': 300,
            'option-data': [{ name: 'routers', data: '10.0.1.1' }],
          },
        ],
      },
    ],
    subnet4: [{ subnet: '10.0.2.0/24', pools: [] }],
  });
  assert.deepEqual(
    scopes.map(({ scopeId, superscopeName, leaseDurationSec, options }) => [
      scopeId,
      superscopeName,
      leaseDurationSec,
      options.map(({ hex }) => hex),
    ]),
    [
      ['10.0.2.0', null, 100, []],
      ['10.0.0.0', 'floor', 200, ['0a000001']],
      ['10.0.1.0', 'floor', 300, ['0a000101']],
    ],
  );
  const bare = await planOfDhcp4({ subnet4: [{ subnet: '10.0.2.0/24', pools: [] }] });
  assert.equal(bare.scopes[0]?.leaseDurationSec, 7200, 'Kea’s own default');
});

const VALUES: readonly (readonly [option: object, hex: string])[] = [
  [{ name: 'routers', data: '10.0.0.1, 10.0.0.2' }, '0a0000010a000002'],
  [{ name: 'time-offset', data: '-1' }, 'ffffffff'],
  [{ name: 'interface-mtu', data: '1492' }, '05d4'],
  [{ name: 'netbios-node-type', data: '8' }, '08'],
  [{ name: 'ip-forwarding', data: 'true' }, '01'],
  [{ name: 'domain-name', data: 'a.example' }, '612e6578616d706c65'],
  [{ name: 'root-path', data: 'a\\,b' }, '612c62'],
  [{ name: 'domain-search', data: 'a.b' }, '0161016200'],
  [{ name: 'user-class', data: '0A:0b' }, '0a0b'],
  [{ name: 'uuid-guid', data: '0, 0102' }, '000102'],
  [{ name: 'slp-directory-agent', data: 'true, 10.0.0.1, 10.0.0.2' }, '010a0000010a000002'],
  [{ code: 6, 'csv-format': false, data: '0A 00 00 01' }, '0a000001'],
  [{ code: 250, data: "'text'" }, '74657874'],
  [{ code: 250, data: '0x0102' }, '0102'],
  [{ code: 250, data: '' }, ''],
];

test('the text of an option becomes its octets by its type', async () => {
  for (const [option, hex] of VALUES) {
    const { server } = await planOfDhcp4({ 'option-data': [option] });
    assert.deepEqual(
      server.options?.map((one) => one.hex),
      [hex],
      JSON.stringify(option),
    );
  }
});

test('a value that is not understood is reported, not guessed', async () => {
  for (const option of [
    { name: 'routers', data: 'router.example' },
    { name: 'interface-mtu', data: '70000' },
    { name: 'no-such-option', data: '1' },
    { code: 250, 'csv-format': true, data: '1' },
    { code: 250, data: 'xyz' },
    { code: 0, data: '' },
    { name: 'option-6rd', data: '1, 2, 2001:db8::, 10.0.0.1' },
  ]) {
    const plan = await planOfDhcp4({ 'option-data': [option] });
    assert.deepEqual(plan.server.options, [], JSON.stringify(option));
    assert.equal(lineOf(plan, '"data"').carried, 'not-carried', JSON.stringify(option));
  }
});

const TESTS: readonly (readonly [test: string, conditions: readonly object[] | undefined, carried?: string])[] = [
  ["substring(option[60].hex,0,3) == 'PXE'", [{ vendorClass: 'PXE' }], 'carried'],
  ["option[60].text == 'abc'", [{ vendorClass: 'abc' }], 'changed'],
  ["'abc' == option[vendor-class-identifier].hex", [{ vendorClass: 'abc' }], 'changed'],
  ["option[77].hex == 'iPXE'", [{ userClass: 'iPXE' }], 'carried'],
  ['option[77].hex == 0x69505845', [{ userClass: 'iPXE' }], 'carried'],
  ["(option[60].hex == 'a') or (option[77].hex == 'b')", [{ vendorClass: 'a' }, { userClass: 'b' }], 'changed'],
  [
    "substring(option[60].hex,0,1) == 'a' and (option[77].hex == 'b' or option[77].hex == 'c')",
    [
      { vendorClass: 'a', userClass: 'b' },
      { vendorClass: 'a', userClass: 'c' },
    ],
    'carried',
  ],
  ["option[60].hex == 'a' and option[60].hex == 'b'", undefined],
  ["substring(option[60].hex,1,3) == 'PXE'", undefined],
  ["substring(option[60].hex,0,4) == 'PXE'", undefined],
  ["not (option[60].hex == 'a')", undefined],
  ['option[93].hex == 0x0007', undefined],
  ['option[60].exists', undefined],
  ["member('ALL')", undefined],
  ["option[60].hex == 'a' option[60].hex == 'b'", undefined],
  ['pkt4.mac == 0x000102030405', undefined],
  ["option[60].hex == 'open", undefined],
];

test('a class is carried over where its test compares option 60 or 77, and nothing else is', async () => {
  for (const [expression, conditions, carried = 'not-carried'] of TESTS) {
    const plan = await planOfDhcp4({
      'client-classes': [{ name: 'c', test: expression, 'option-data': [{ name: 'log-servers', data: '10.0.0.1' }] }],
    });
    assert.deepEqual(
      plan.server.options,
      (conditions ?? []).map((condition) => ({ code: 7, hex: '0a000001', ...condition })),
      expression,
    );
    assert.equal(lineOf(plan, '"test"').carried, carried, expression);
  }
});

test('clients are named in reservations as Kea names them, and who cannot be named is told', async () => {
  const plan = await planOfDhcp4({
    subnet4: [
      {
        subnet: '10.0.0.0/24',
        pools: [],
        reservations: [
          { 'hw-address': '0a:0B:0c:0d:0e:0f', 'ip-address': '10.0.0.5' },
          { 'client-id': "'abc'", 'ip-address': '10.0.0.6' },
          { 'circuit-id': '0x0102', 'ip-address': '10.0.0.7' },
          { duid: '01:02', 'ip-address': '10.0.0.8' },
          { 'hw-address': '0a:0b:0c:0d:0e:0f', 'ip-address': '10.0.0.9' },
          { 'hw-address': '0a:0b:0c:0d:0e:01', 'ip-address': '10.0.0.5' },
          { 'hw-address': '0a:0b:0c:0d:0e:02', 'ip-address': '10.0.0.255' },
        ],
      },
    ],
  });
  assert.deepEqual(
    plan.scopes[0]?.reservations.map(({ address, client }) => [address, client.kind, client.hex]),
    [
      ['10.0.0.5', 'hardware', '0a0b0c0d0e0f'],
      ['10.0.0.6', 'client-id', '616263'],
      ['10.0.0.7', 'circuit-id', '0102'],
    ],
  );
  for (const address of ['10.0.0.8', '10.0.0.9', '10.0.0.255'])
    assert.equal(lineOf(plan, `"${address}"`).carried, 'not-carried', address);
  assertTaken(plan);
});

test('global reservations count only where Kea looks at them', async () => {
  const inner = {
    subnet4: [{ subnet: '10.0.0.0/24', pools: [] }],
    reservations: [{ 'hw-address': '0a:0b:0c:0d:0e:0f', 'ip-address': '10.0.0.5' }],
  };
  assert.deepEqual((await planOfDhcp4(inner)).scopes[0]?.reservations, []);
  const on = await planOfDhcp4({ ...inner, 'reservations-global': true });
  assert.equal(on.scopes[0]?.reservations[0]?.address, '10.0.0.5');
});

test('a member named like what every object has is unknown, as any other', async () => {
  for (const name of ['toString', 'constructor', '__proto__', 'hasOwnProperty']) {
    const read = await readKea(`{"Dhcp4": {"${name}": 0}}`, { file: 'kea.conf' });
    assert.equal(read.kind, 'ok', name);
    assert.ok(
      read.plan.report.some((line) => line.statement.includes(name) && line.carried === 'not-carried'),
      name,
    );
  }
});

test('law: no text makes the reader throw, and each is a plan or a refusal', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.string(),
        fc.json().map((text) => `{"Dhcp4": ${text}}`),
      ),
      async (text) => {
        const found = await read(text);
        assert.ok(found.kind === 'ok' || found.line >= 0);
      },
    ),
  );
});

test('law: a truncated configuration is refused', async () => {
  const whole = TEXT.trimEnd();
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: whole.length - 1 }), async (length) => {
      assert.equal((await read(whole.slice(0, length))).kind, 'bad');
    }),
    { numRuns: 60 },
  );
});

test('law: any values at the places of a configuration give a plan that the server takes', async () => {
  const odd = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom<unknown>('10.0.0.0/8', '0.0.0.0', '10.0.0.5', -1, 2 ** 40),
  );
  const option = fc.record(
    { name: fc.oneof(fc.constantFrom('routers', 'domain-name'), odd), code: odd, data: odd },
    { requiredKeys: [] },
  );
  const host = fc.record(
    { 'hw-address': odd, 'ip-address': odd, hostname: odd, 'option-data': fc.array(option) },
    { requiredKeys: [] },
  );
  const pool = fc.oneof(
    odd,
    fc.record({
      pool: fc.oneof(
        odd,
        fc.ipV4().map((one) => `${one}-10.255.0.0`),
      ),
    }),
  );
  const subnet = fc.record(
    {
      subnet: fc.oneof(
        odd,
        fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 33 })).map(([a, n]) => `${a}/${n}`),
      ),
      pools: fc.oneof(odd, fc.array(pool)),
      reservations: fc.array(host),
      'option-data': fc.array(option),
      'valid-lifetime': odd,
      relay: odd,
      comment: odd,
    },
    { requiredKeys: ['subnet'] },
  );
  const inner = fc.record(
    {
      subnet4: fc.oneof(odd, fc.array(subnet, { maxLength: 4 })),
      'shared-networks': fc.array(fc.record({ name: odd, subnet4: fc.array(subnet, { maxLength: 2 }) }), {
        maxLength: 2,
      }),
      'option-data': fc.array(option),
      'option-def': fc.array(
        fc.record({ name: odd, code: odd, type: fc.constantFrom('string', 'uint8', 'record', 'x') }),
      ),
      'client-classes': fc.oneof(odd, fc.array(fc.record({ name: odd, test: odd, 'option-data': fc.array(option) }))),
      'decline-probation-period': odd,
      authoritative: odd,
      reservations: fc.array(host),
      'reservations-global': fc.boolean(),
    },
    { requiredKeys: [] },
  );
  await fc.assert(
    fc.asyncProperty(inner, async (dhcp4) => {
      assertTaken(await planOfDhcp4(dhcp4));
    }),
  );
});
