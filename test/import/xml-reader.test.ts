/** The reader of XML from outside: what it takes, and what it refuses so that no document harms the server. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { readXml, XML_LIMITS, type XmlEvent, type XmlLimits, XmlReader } from '../../src/import/xml-reader.ts';

function refusal(text: string, limits: XmlLimits = XML_LIMITS): string | undefined {
  const read = readXml(text, limits);
  return read.kind === 'bad' ? read.why : undefined;
}

test('elements, attributes and texts come with their namespaces and lines', () => {
  const read = readXml('<a xmlns="urn:a" xmlns:b="urn:b">\n <b:c d="1" b:e="&lt;"/>x<![CDATA[<y>]]></a>');
  assert.ok(read.kind === 'ok');
  const opened = read.events.filter((event) => event.kind === 'open');
  assert.deepEqual(
    opened.map(({ name, line }) => [name.uri, name.local, line]),
    [
      ['urn:a', 'a', 1],
      ['urn:b', 'c', 2],
    ],
  );
  assert.deepEqual(opened[1]?.attributes, [
    { uri: '', local: 'd', value: '1' },
    { uri: 'urn:b', local: 'e', value: '<' },
  ]);
  assert.deepEqual(
    read.events.filter((event) => event.kind === 'text').map(({ text }) => text),
    ['\n ', 'x<y>'],
  );
});

test('document types and entities of their own are refused', () => {
  assert.match(refusal('<!DOCTYPE a><a/>') ?? '', /document type/);
  assert.match(refusal('<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>') ?? '', /document type/);
  const bomb = '<!DOCTYPE a [<!ENTITY b "cc"><!ENTITY d "&b;&b;">]><a>&d;</a>';
  assert.match(refusal(bomb) ?? '', /document type/);
  assert.match(refusal('<a>&b;</a>') ?? '', /entity/);
});

test('what is not well formed is refused with its line', () => {
  for (const text of [
    '',
    'x',
    '<a>',
    '<a></b>',
    '<a/><b/>',
    '<a b="1" b="2"/>',
    '<a b=1/>',
    '<x:a/>',
    '<a>\u0001</a>',
    '<a><',
  ])
    assert.notEqual(refusal(text), undefined, JSON.stringify(text));
  const read = readXml('<a>\n\n</b>');
  assert.ok(read.kind === 'bad' && read.line === 3);
});

test('each limit refuses what is beyond it, and nothing within', () => {
  const limits: XmlLimits = { charactersMax: 1000, depthMax: 3, attributesMax: 2, textMax: 10 };
  assert.equal(refusal('<a><b><c d="1" e="2">0123456789</c></b></a>', limits), undefined);
  assert.match(refusal('<a><b><c><d/></c></b></a>', limits) ?? '', /nested/);
  assert.match(refusal('<a b="1" c="2" d="3"/>', limits) ?? '', /attributes/);
  assert.match(refusal('<a>01234567890</a>', limits) ?? '', /text/);
  assert.match(refusal('<a b="01234567890"/>', limits) ?? '', /attribute/);
  assert.match(refusal(`<a>${'<b/>'.repeat(300)}</a>`, limits) ?? '', /too long/);
});

test('after a refusal there is nothing more', () => {
  const reader = new XmlReader();
  assert.equal(reader.feed('<a></b>').kind, 'bad');
  assert.equal(reader.feed('<a/>').kind, 'bad');
  assert.equal(reader.end().kind, 'bad');
});

test('law: in whatever pieces a document comes, the events are the same', () => {
  const text = '<a xmlns:b="urn:b"><b:c d="1">x &amp; y<!-- - --><![CDATA[z]]></b:c>\n<e/>é𐀀</a>';
  const whole = readXml(text);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (sizes) => {
      const reader = new XmlReader();
      const events: XmlEvent[] = [];
      for (let at = 0, i = 0; at < text.length; i++) {
        const size = sizes[i % sizes.length]!;
        const read = reader.feed(text.slice(at, at + size));
        assert.ok(read.kind === 'ok');
        events.push(...read.events);
        at += size;
      }
      const end = reader.end();
      assert.ok(end.kind === 'ok');
      assert.deepEqual({ kind: 'ok', events: [...events, ...end.events] }, whole);
    }),
  );
});

test('law: no text makes it throw', () => {
  const piece = fc.oneof(
    fc.string(),
    fc.constantFrom('<', '>', '</', '<a', '/>', '"', '=', '&', ';', '<!', '<?', ']]>', '<![CDATA[', ':', 'xmlns'),
  );
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      const reader = new XmlReader();
      for (const one of pieces) reader.feed(one);
      reader.end();
    }),
    { numRuns: 500 },
  );
});
