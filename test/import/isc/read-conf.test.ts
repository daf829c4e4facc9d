/** The rules by which dhcpd's levels, pools, classes and hosts become ours, each on the smallest file that shows it. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { readDhcpdConf } from '../../../src/import/isc/read-conf.ts';
import { INCLUDE_DEPTH_MAX, INCLUDE_FILES_MAX } from '../../../src/import/isc/statements.ts';
import { lineFor, plan, read, SAMPLES, sampleText, textHex } from './sample-files.ts';

const NET = 'subnet 10.0.0.0 netmask 255.255.255.0';

test('options stand at the level where they were set, and the inner one wins as in dhcpd', async () => {
  const { server, scopes } = await plan(`
    option domain-name "outer"; option ntp-servers 10.0.0.9;
    shared-network lan { option domain-name "shared";
      ${NET} { option domain-name "inner"; option routers 10.0.0.1; range 10.0.0.10 10.0.0.20; }
      subnet 10.0.1.0 netmask 255.255.255.0 { }
    }`);
  assert.deepEqual(server.options, [
    { code: 15, hex: textHex('outer') },
    { code: 42, hex: '0a000009' },
  ]);
  assert.deepEqual(
    scopes.map((scope) => [scope.scopeId, scope.superscopeName, scope.options]),
    [
      [
        '10.0.0.0',
        'lan',
        [
          { code: 15, hex: textHex('inner') },
          { code: 3, hex: '0a000001' },
        ],
      ],
      ['10.0.1.0', 'lan', [{ code: 15, hex: textHex('shared') }]],
    ],
  );
});

test('the options of a group around a host go over those of the network, the host’s own over the group’s', async () => {
  const { scopes } = await plan(`
    ${NET} { option domain-name "net"; option host-name "net"; }
    group { option domain-name "group"; option host-name "group";
      host a { hardware ethernet 0:0:0:0:0:1; fixed-address 10.0.0.5; option host-name "own"; } }`);
  assert.deepEqual(scopes[0]?.reservations[0]?.options, [
    { code: 15, hex: textHex('group') },
    { code: 12, hex: textHex('own') },
  ]);
});

test('a host inside one network takes its options along to another', async () => {
  const { scopes } = await plan(`
    subnet 10.0.1.0 netmask 255.255.255.0 { option domain-name "there"; }
    ${NET} { option domain-name "here"; option routers 10.0.0.1;
      host a { hardware ethernet 0:0:0:0:0:1; fixed-address 10.0.0.5, 10.0.1.5; } }`);
  const byScope = Object.fromEntries(scopes.map((scope) => [scope.scopeId, scope.reservations[0]?.options]));
  assert.deepEqual(byScope['10.0.0.0'], []);
  assert.deepEqual(byScope['10.0.1.0'], [
    { code: 15, hex: textHex('here') },
    { code: 3, hex: '0a000001' },
  ]);
});

test('a class goes over the network, so its value is said again where a scope has its own', async () => {
  const { server, scopes } = await plan(`
    class "a" { match if substring(option vendor-class-identifier, 0, 3) = "abc"; option domain-name "class"; option host-name "h"; }
    ${NET} { option domain-name "net"; }
    subnet 10.0.1.0 netmask 255.255.255.0 { }`);
  const domain = { code: 15, hex: textHex('class'), vendorClass: 'abc' };
  assert.deepEqual(server.options, [domain, { code: 12, hex: textHex('h'), vendorClass: 'abc' }]);
  assert.deepEqual(scopes[0]?.options, [{ code: 15, hex: textHex('net') }, domain]);
  assert.deepEqual(scopes[1]?.options, []);
});

test('of two classes that a client is in, the first one of the file wins here too', async () => {
  const { server } = await plan(`
    class "one" { match if substring(option vendor-class-identifier, 0, 3) = "abc"; option domain-name "1"; }
    class "two" { match if substring(option vendor-class-identifier, 0, 2) = "ab"; option domain-name "2"; }
    ${NET} {}`);
  assert.deepEqual(
    server.options?.map((option) => option.vendorClass),
    ['ab', 'abc'],
  );
});

test('a subclass has the values of its class too, and classes by anything else are told as not carried over', async () => {
  const found = await plan(`
    class "v" { match option vendor-class-identifier; option domain-name "all"; }
    subclass "v" "x" { option host-name "x"; }
    class "hw" { match hardware; }
    subclass "hw" 1:0:0:0:0:0:1 { option host-name "y"; }
    ${NET} {}`);
  assert.deepEqual(found.server.options, [
    { code: 15, hex: textHex('all'), vendorClass: 'x' },
    { code: 12, hex: textHex('x'), vendorClass: 'x' },
  ]);
  assert.equal(lineFor(found, 'subclass "v"').carried, 'changed');
  assert.equal(lineFor(found, 'subclass "hw"').carried, 'not-carried');
  assert.equal(lineFor(found, 'option host-name "y"').carried, 'not-carried');
});

test('a vendor’s options travel inside option 43 of the clients that the class names', async () => {
  const { server } = await plan(`
    option space V; option V.a code 1 = ip-address; option V.b code 2 = text;
    class "c" { match if option vendor-class-identifier = "acme"; vendor-option-space V; option V.b "hi"; option V.a 10.0.0.1; }
    ${NET} {}`);
  assert.deepEqual(server.options, [{ code: 43, hex: '01040a0000010202' + textHex('hi'), vendorClass: 'acme' }]);
});

test('spaces may have wider numbers and lengths, and an option of the file’s own may hold a space', async () => {
  const found = await plan(`
    option space W code width 2 length width 2; option W.a code 300 = unsigned integer 8;
    option holder code 230 = encapsulate W; option W.a 7; ${NET} {}`);
  assert.deepEqual(found.server.options, [{ code: 230, hex: '012c000107' }]);
  assert.deepEqual(found.optionDefinitions, [{ code: 230, name: 'holder', type: 'encapsulated', isArray: false }]);
});

test('append, prepend, default and supersede act on what is set around them', async () => {
  const { scopes } = await plan(`
    option domain-name-servers 10.0.0.2; option domain-name "outer";
    ${NET} { append domain-name-servers 10.0.0.3; prepend domain-name-servers 10.0.0.1; default domain-name "inner";
      supersede host-name "h"; }`);
  assert.deepEqual(scopes[0]?.options, [
    { code: 6, hex: '0a0000010a0000020a000003' },
    { code: 12, hex: textHex('h') },
  ]);
});

test('all ranges become one with exclusions between, without network and broadcast address', async () => {
  const found = await plan(`${NET} {
    range 10.0.0.0 10.0.0.9; range 10.0.0.10 10.0.0.19; range 10.0.0.100; range 10.0.0.255 10.0.0.200; }`);
  const [scope] = found.scopes;
  assert.deepEqual([scope?.startRange, scope?.endRange], ['10.0.0.1', '10.0.0.254']);
  assert.deepEqual(scope?.exclusions, [
    { start: '10.0.0.20', end: '10.0.0.99' },
    { start: '10.0.0.101', end: '10.0.0.199' },
  ]);
  assert.equal(lineFor(found, 'range 10.0.0.0 ').carried, 'changed');
  assert.equal(lineFor(found, 'range 10.0.0.100').carried, 'carried');
});

test('a network without a range is a scope that gives nothing dynamically', async () => {
  const { scopes } = await plan(`${NET} { host a { hardware ethernet 0:0:0:0:0:1; fixed-address 10.0.0.5; } }`);
  assert.deepEqual(scopes[0]?.exclusions, [{ start: '10.0.0.1', end: '10.0.0.254' }]);
  assert.equal(scopes[0]?.reservations[0]?.address, '10.0.0.5');
});

test('overlapping, misaligned and too small networks are told, with all that stands in them', async () => {
  const found = await plan(`
    ${NET} { } subnet 10.0.0.128 netmask 255.255.255.128 { option routers 10.0.0.129; }
    subnet 10.0.1.1 netmask 255.255.255.0 { option time-offset 1; } subnet 10.0.2.0 netmask 255.255.255.254 { }
    subnet 127.0.0.0 netmask 255.0.0.0 { } subnet 10.0.3.0 netmask 255.0.255.0 { }`);
  assert.deepEqual(
    found.scopes.map((scope) => scope.scopeId),
    ['10.0.0.0'],
  );
  for (const start of [
    'subnet 10.0.0.128',
    'option routers',
    'subnet 10.0.1.1',
    'option time-offset',
    'subnet 10.0.2.0',
    'subnet 127',
    'subnet 10.0.3.0',
  ])
    assert.equal(lineFor(found, start).carried, 'not-carried', start);
});

test('options of the only pool are the scope’s; those of several pools have no place', async () => {
  const one = await plan(
    `${NET} { pool { range 10.0.0.10 10.0.0.20; option domain-name "p"; default-lease-time 300; max-lease-time 300; } }`,
  );
  assert.deepEqual(one.scopes[0]?.options, [{ code: 15, hex: textHex('p') }]);
  assert.equal(one.scopes[0]?.leaseDurationSec, 300);
  const two = await plan(`${NET} { pool { range 10.0.0.10; option domain-name "p"; } pool { range 10.0.0.20; } }`);
  assert.deepEqual(two.scopes[0]?.options, []);
  assert.equal(lineFor(two, 'option domain-name').carried, 'not-carried');
});

test('who may have the addresses of a pool is told as not carried over', async () => {
  const found = await plan(
    `${NET} { pool { range 10.0.0.10; deny unknown-clients; allow members of "x"; deny dynamic bootp clients; allow all clients; } }`,
  );
  assert.equal(lineFor(found, 'deny unknown').carried, 'not-carried');
  assert.equal(lineFor(found, 'allow members').carried, 'not-carried');
  assert.equal(lineFor(found, 'deny dynamic').carried, 'carried');
  assert.equal(lineFor(found, 'allow all').carried, 'carried');
});

test('the lease time is what a client gets that asks for nothing, and dhcpd’s own where the file says none', async () => {
  const times = async (text: string): Promise<number | undefined> =>
    (await plan(`${text} ${NET} {}`)).scopes[0]?.leaseDurationSec;
  assert.equal(await times(''), 43_200);
  assert.equal(await times('default-lease-time 600;'), 600);
  assert.equal(await times('max-lease-time 600;'), 600);
  assert.equal(await times('default-lease-time 900; max-lease-time 600;'), 600);
  assert.equal(await times('default-lease-time -1; max-lease-time -1;'), 0xffffffff);
});

test('a host’s own lease time is option 51 of its reservation, and the others keep the scope’s', async () => {
  const { scopes } = await plan(`default-lease-time 600; max-lease-time 600;
    ${NET} { } host a { hardware ethernet 0:0:0:0:0:1; fixed-address 10.0.0.5; default-lease-time 60; max-lease-time 60; }
    host b { hardware ethernet 0:0:0:0:0:2; fixed-address 10.0.0.6; }`);
  assert.deepEqual(
    scopes[0]?.reservations.map(({ options }) => options),
    [[{ code: 51, hex: '0000003c' }], []],
  );
});

test('hosts are known by hardware address, client identifier, circuit id or remote id', async () => {
  const found = await plan(`${NET} {}
    host a { hardware ethernet 0:1:2:3:4:5; fixed-address 10.0.0.1; }
    host b { option dhcp-client-identifier "\\001x"; fixed-address 10.0.0.2; }
    host c { host-identifier option agent.circuit-id 1:2; fixed-address 10.0.0.3; }
    host d { host-identifier option agent.remote-id "r"; fixed-address 10.0.0.4; }
    host e { hardware token-ring 0:1:2:3:4:6; option dhcp-client-identifier 9:9; fixed-address 10.0.0.5; }
    host f { host-identifier option user-class "u"; fixed-address 10.0.0.6; }
    host g { fixed-address 10.0.0.7; }
    host h { hardware ethernet 0:1:2:3:4:7; }
    host i { hardware ethernet 0:1:2:3:4:8; fixed-address name.example.org; }`);
  assert.deepEqual(
    found.scopes[0]?.reservations.map(({ name, client }) => [name, client]),
    [
      ['a', { kind: 'hardware', hex: '000102030405' }],
      ['b', { kind: 'client-id', hex: '0178' }],
      ['c', { kind: 'circuit-id', hex: '0102' }],
      ['d', { kind: 'remote-id', hex: '72' }],
      ['e', { kind: 'hardware', hex: '000102030406', htype: 6 }],
    ],
  );
  for (const name of ['f', 'g', 'h', 'i']) assert.equal(lineFor(found, `host ${name}`).carried, 'not-carried', name);
  assert.equal(lineFor(found, 'option dhcp-client-identifier 9:9').carried, 'changed');
});

test('use-host-decl-names sets the name where no other is set', async () => {
  const names = async (text: string): Promise<unknown> =>
    (await plan(`${text} host pc { hardware ethernet 0:0:0:0:0:1; fixed-address 10.0.0.5; }`)).scopes[0]
      ?.reservations[0]?.options;
  assert.deepEqual(await names(`${NET} { } use-host-decl-names on;`), [{ code: 12, hex: textHex('pc') }]);
  assert.deepEqual(await names(`${NET} { } use-host-decl-names off;`), []);
  assert.deepEqual(await names(`${NET} { option host-name "all"; } use-host-decl-names on;`), []);
});

test('next-server, server-name and filename become options 66 and 67, unless the file has these with other values', async () => {
  const { scopes } = await plan(`${NET} { next-server 10.0.0.9; filename "boot"; server-name "s"; }`);
  assert.deepEqual(scopes[0]?.options, [
    { code: 66, hex: textHex('10.0.0.9') },
    { code: 67, hex: textHex('boot') },
  ]);
  const found = await plan(`${NET} { next-server 10.0.0.9; option tftp-server-name "phones"; filename "boot"; }`);
  assert.deepEqual(found.scopes[0]?.options[0], { code: 66, hex: textHex('phones') });
  assert.equal(lineFor(found, 'next-server').carried, 'not-carried');
});

test('a choice by user class or vendor class becomes values for these, its else the value for everybody', async () => {
  const found = await plan(`${NET} {
    if exists user-class and option user-class = "iPXE" { filename "second"; }
    elsif (substring(option vendor-class-identifier, 0, 9) = "PXEClient") { filename "first"; next-server 10.0.0.2; }
    else { filename "other"; option host-name "h"; } }`);
  assert.deepEqual(found.scopes[0]?.options, [
    { code: 12, hex: textHex('h') },
    { code: 67, hex: textHex('other') },
    { code: 66, hex: textHex('10.0.0.2'), vendorClass: 'PXEClient' },
    { code: 67, hex: textHex('first'), vendorClass: 'PXEClient' },
    { code: 67, hex: textHex('second'), userClass: 'iPXE' },
  ]);
  assert.equal(lineFor(found, 'option host-name').carried, 'changed');
});

test('conditions that cannot be expressed are told with everything inside', async () => {
  for (const condition of [
    'option arch = 00:07',
    'known',
    'substring(option vendor-class-identifier, 1, 3) = "abc"',
    'option vendor-class-identifier ~= "x"',
    'not exists user-class',
    'substring(option vendor-class-identifier, 0, 2) = "abc"',
  ]) {
    const found = await plan(`${NET} { if ${condition} { filename "a"; } else { filename "b"; } }`);
    assert.deepEqual(found.scopes[0]?.options, [], condition);
    assert.equal(lineFor(found, 'filename "a"').carried, 'not-carried', condition);
    assert.equal(lineFor(found, 'filename "b"').carried, 'not-carried', condition);
  }
});

test('failover peers become relationships with the scopes whose pools name them', async () => {
  const peer = (more: string): string =>
    `failover peer "f" { address 10.0.0.2; peer address 10.0.0.3; load balance max seconds 3; ${more} }`;
  const pool = `${NET} { pool { failover peer "f"; range 10.0.0.10 10.0.0.20; } }`;
  const first = await plan(
    `${peer('primary; mclt 600; split 200; port 519; peer port 520; auto-partner-down 60;')} ${pool}`,
  );
  assert.deepEqual(first.relationships, [
    {
      name: 'f',
      partnerKind: 'isc',
      partnerAddress: '10.0.0.3',
      partnerPort: 520,
      localAddress: '10.0.0.2',
      localPort: 519,
      role: 'primary',
      mode: 'LoadBalance',
      isActive: false,
      percentage: 78.125,
      mcltSec: 600,
      stateSwitchIntervalSec: 60,
      scopeIds: ['10.0.0.0'],
    },
  ]);
  assert.equal(first.server.loadBalanceMaxSec, 3);
  assert.equal(lineFor(first, 'split').carried, 'carried');
  const second = await plan(`${peer('secondary;')} ${pool}`);
  assert.deepEqual(
    second.relationships.map(({ role, mcltSec, partnerPort }) => [role, mcltSec, partnerPort]),
    [['secondary', null, 647]],
  );
  const named = await plan(
    `failover peer "f" { primary; address a.example; peer address b.example; mclt 60; } ${pool}`,
  );
  assert.deepEqual(named.relationships, []);
  assert.equal(lineFor(named, 'failover peer "f" {}').carried, 'not-carried');
  const unused = await plan(`${peer('primary; mclt 60; hba ff;')} ${NET} { range 10.0.0.10; }`);
  assert.deepEqual(unused.relationships, []);
});

test('addresses that the partner does not know are left out of a shared scope', async () => {
  const { scopes, relationships } =
    await plan(`failover peer "f" { primary; mclt 60; address 10.0.0.2; peer address 10.0.0.3; }
    ${NET} { pool { failover peer "f"; range 10.0.0.10 10.0.0.20; } pool { range 10.0.0.30 10.0.0.40; } }`);
  assert.deepEqual([scopes[0]?.startRange, scopes[0]?.endRange], ['10.0.0.10', '10.0.0.20']);
  assert.deepEqual(relationships[0]?.scopeIds, ['10.0.0.0']);
});

test('values of every type come out as dhcpd sends them', async () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ['ip-address', '10.0.0.1', '0a000001'],
    ['array of ip-address', '10.0.0.1, 010.0.0.2', '0a0000010a000002'],
    ['boolean', 'true', '01'],
    ['unsigned integer 8', '255', 'ff'],
    ['signed integer 8', '-1', 'ff'],
    ['integer 16', '-2', 'fffe'],
    ['unsigned integer 32', '0xffffffff', 'ffffffff'],
    ['text', '"a\\tb\\"c\\x41\\101"', '6109622263' + '4141'],
    ['string', '0:1:ff', '0001ff'],
    ['string', '"abc"', '616263'],
    ['domain-name', 'a.example', '01610765' + '78616d706c6500'],
    ['domain-list', '"a.b", "c.b"', '0161016200' + '0163016200'],
    ['domain-list compressed', '"a.b c.b"', '0161016200' + '0163c002'],
    ['ip6-address', '2001:db8::1', '20010db8000000000000000000000001'],
    ['{ ip-address, unsigned integer 16 }', '10.0.0.1 5', '0a0000010005'],
    ['array of { boolean, integer 8 }', 'on 1, off 2', '01010002'],
  ];
  for (const [type, value, hex] of cases) {
    const found = await plan(`option x code 230 = ${type}; option x ${value}; ${NET} {}`);
    assert.deepEqual(found.server.options, [{ code: 230, hex }], `${type} ${value}`);
  }
});

test('a value that does not have its type, or is computed for each client, is told and nothing is guessed', async () => {
  for (const statement of [
    'option routers a.example;',
    'option routers 10.0.0.1 10.0.0.2;',
    'option time-offset x;',
    'option interface-mtu 70000;',
    'option no-such "x";',
    'option host-name = concat("a", option host-name);',
    'option domain-name unquoted;',
    'option domain-search "a..b";',
  ]) {
    const found = await plan(`${statement} ${NET} {}`);
    assert.equal(found.server.options, undefined, statement);
    assert.equal(lineFor(found, statement.slice(0, 12)).carried, 'not-carried', statement);
  }
});

test('expressions that are the same for every client are worked out', async () => {
  const { server } = await plan(
    `option host-name = concat("a", concat("b", 63)); option x code 230 = string; option x = encode-int(258, 16); ${NET} {}`,
  );
  assert.deepEqual(server.options, [
    { code: 12, hex: '616263' },
    { code: 230, hex: '0102' },
  ]);
});

test('whether the server is authoritative is what all networks say', async () => {
  const asked = async (text: string): Promise<boolean | undefined> => (await plan(text)).server.authoritative;
  assert.equal(await asked(`${NET} {}`), false);
  assert.equal(await asked(`authoritative; ${NET} {}`), true);
  assert.equal(await asked(`${NET} { authoritative; }`), true);
  assert.equal(
    await asked(`authoritative; ${NET} { not authoritative; } subnet 10.0.1.0 netmask 255.255.255.0 {}`),
    false,
  );
});

test('two shared networks whose names differ in case only keep apart', async () => {
  const { scopes } = await plan(
    `shared-network LAN { ${NET} {} } shared-network lan { subnet 10.0.1.0 netmask 255.255.255.0 {} }`,
  );
  assert.deepEqual(
    scopes.map((scope) => scope.superscopeName),
    ['LAN', 'lan (2)'],
  );
});

test('included files are read where they stand, and one that cannot be read is told', async () => {
  const found = await readDhcpdConf(`include "a"; ${NET} { include "b"; include "none"; }`, {
    file: 'main',
    readInclude: async (path) => ({ a: 'option domain-name "a";', b: 'range 10.0.0.10;' })[path],
  });
  assert.equal(found.kind, 'ok');
  if (found.kind !== 'ok') return;
  assert.deepEqual(found.plan.server.options, [{ code: 15, hex: textHex('a') }]);
  assert.equal(found.plan.scopes[0]?.startRange, '10.0.0.10');
  assert.equal(lineFor(found.plan, 'include "none"').carried, 'not-carried');
  assert.equal(lineFor(found.plan, 'range').file, 'b');
});

test('a file that includes itself comes to an end, deep or wide', async () => {
  const asked = { count: 0 };
  const readInclude = async (): Promise<string> => {
    asked.count++;
    return 'include "again"; include "again";';
  };
  const found = await readDhcpdConf('include "again";', { file: 'main', readInclude });
  assert.equal(found.kind, 'ok');
  assert.ok(asked.count <= INCLUDE_FILES_MAX && asked.count >= INCLUDE_DEPTH_MAX, String(asked.count));
});

test('a broken file is refused with its line, and one that is included with its name', async () => {
  const cases: readonly (readonly [string, number])[] = [
    ['option domain-name "open', 1],
    ['\n\nsubnet 10.0.0.0 netmask 255.255.255.0 {', 3],
    ['option a b\n', 1],
    ['}', 1],
    ['\n{ }', 2],
    ['host a { hardware ethernet 1 }', 1],
  ];
  for (const [text, line] of cases) {
    const found = await read(text);
    assert.deepEqual([found.kind, found.kind === 'bad' && found.line], ['bad', line], text);
  }
  const inner = await readDhcpdConf('include "x";', { file: 'main', readInclude: async () => 'option' });
  assert.ok(inner.kind === 'bad' && inner.why.includes('in x'), JSON.stringify(inner));
});

test('secrets are in no plan and no report', async () => {
  const text = sampleText('campus.conf');
  const secrets = [...text.matchAll(/secret "?([^";\s]+)/g)].map((match) => match[1] ?? '');
  assert.equal(secrets.length, 2);
  const written = JSON.stringify(await read(text));
  for (const secret of secrets) assert.ok(!written.includes(secret));
});

test('no text makes the reader throw', async () => {
  const words = [
    ...new Set(SAMPLES.flatMap((name) => sampleText(`${name}.conf`).match(/[\w.:-]+|"[^"]*"|[{};,=()#]/g) ?? [])),
  ];
  const soup = fc
    .array(fc.constantFrom(...words, '{', '}', ';', ';', '(', ')'), { maxLength: 60 })
    .map((some) => some.join(' '));
  await fc.assert(
    fc.asyncProperty(fc.oneof(soup, fc.string({ unit: 'binary', maxLength: 80 })), async (text) => {
      const found = await read(text);
      assert.ok(found.kind === 'ok' || found.line >= 1);
    }),
    { numRuns: 1500 },
  );
});

test('deep nesting of blocks and parentheses is refused or read, never a fault', async () => {
  assert.equal((await read('group {'.repeat(5000) + '}'.repeat(5000))).kind, 'bad');
  assert.equal((await read(`if ${'('.repeat(20_000)}x${')'.repeat(20_000)} { }`)).kind, 'ok');
  assert.equal((await read(`option host-name = ${'concat('.repeat(20_000)}"a"${')'.repeat(20_000)};`)).kind, 'ok');
});
