/** The OpenAPI document describes every operation, in JSON Schema that OpenAPI 3.1 allows. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { outerName } from '../../src/front/rest/names.ts';
import { openApi } from '../../src/front/rest/openapi.ts';
import { pathOf } from '../../src/front/rest/paths.ts';
import { OPERATIONS } from '../../src/manage/registry.ts';

type Node = Readonly<Record<string, unknown>>;

const DOCUMENT = openApi(OPERATIONS, '1.2.3') as Node;
const PATHS = DOCUMENT['paths'] as Readonly<Record<string, { post: Node }>>;
/** JSON Schema 2020-12 core, applicator, validation and metadata vocabularies, as far as schemas here use them. */
const KEYWORDS: Readonly<Record<string, 'schema' | 'schemas' | 'named' | 'value'>> = {
  $ref: 'value',
  type: 'value',
  enum: 'value',
  const: 'value',
  format: 'value',
  pattern: 'value',
  description: 'value',
  title: 'value',
  default: 'value',
  minimum: 'value',
  maximum: 'value',
  exclusiveMinimum: 'value',
  exclusiveMaximum: 'value',
  multipleOf: 'value',
  minLength: 'value',
  maxLength: 'value',
  minItems: 'value',
  maxItems: 'value',
  uniqueItems: 'value',
  required: 'value',
  examples: 'value',
  readOnly: 'value',
  properties: 'named',
  $defs: 'named',
  patternProperties: 'named',
  items: 'schema',
  additionalProperties: 'schema',
  propertyNames: 'schema',
  not: 'schema',
  anyOf: 'schemas',
  allOf: 'schemas',
  oneOf: 'schemas',
  prefixItems: 'schemas',
};
const TYPES = ['string', 'number', 'integer', 'boolean', 'object', 'array', 'null'];

test('every operation has its path, and there is no other', () => {
  assert.equal(DOCUMENT['openapi'], '3.1.0');
  assert.deepEqual(Object.keys(PATHS).sort(), OPERATIONS.map(pathOf).sort());
  assert.ok(OPERATIONS.length > 20);
});

test('operation ids are unique and each has a summary, a request and both answers', () => {
  const ids = new Set<unknown>();
  for (const { post } of Object.values(PATHS)) {
    ids.add(post['operationId']);
    assert.ok(String(post['summary']).length > 0, String(post['operationId']));
    assert.deepEqual(Object.keys(post['responses'] as Node).sort(), ['200', 'default']);
  }
  assert.equal(ids.size, OPERATIONS.length);
});

test('only operations that change something take whatIf', () => {
  for (const operation of OPERATIONS)
    assert.equal('parameters' in PATHS[pathOf(operation)]!.post, operation.changes, operation.name);
});

test('every schema is JSON Schema 2020-12', () => {
  let count = 0;
  for (const operation of OPERATIONS) {
    for (const [where, schema] of schemasOf(operation.name)) {
      count++;
      checkSchema(schema, `${operation.name} ${where}`);
    }
  }
  assert.equal(count, OPERATIONS.length * 2);
});

test('parameters stand in the document as the door takes them', () => {
  for (const operation of OPERATIONS) {
    const [, request] = schemasOf(operation.name)[0]!;
    const properties = Object.keys((request['properties'] as Node | undefined) ?? {});
    for (const name of properties) assert.equal(name, outerName(name), `${operation.name} ${name}`);
    for (const name of (request['required'] as string[] | undefined) ?? [])
      assert.ok(properties.includes(name), `${operation.name} ${name}`);
  }
});

test('the document is plain JSON', () => {
  assert.deepEqual(JSON.parse(JSON.stringify(DOCUMENT)), DOCUMENT);
});

function schemasOf(name: string): readonly (readonly [string, Node])[] {
  const { post } = PATHS[pathOf({ name })]!;
  const of = (holder: unknown): Node =>
    (((holder as Node)['content'] as Node)['application/json'] as Node)['schema'] as Node;
  return [
    ['request', of(post['requestBody'])],
    ['answer', of((post['responses'] as Node)['200'])],
  ];
}

function checkSchema(schema: unknown, where: string): void {
  if (typeof schema === 'boolean') return;
  assert.ok(typeof schema === 'object' && schema !== null && !Array.isArray(schema), where);
  for (const [keyword, value] of Object.entries(schema)) {
    const kind = KEYWORDS[keyword];
    assert.ok(kind !== undefined, `${where}: ${keyword}`);
    if (kind === 'schema') checkSchema(value, `${where}/${keyword}`);
    else if (kind === 'schemas')
      (value as unknown[]).forEach((inner, index) => void checkSchema(inner, `${where}/${keyword}/${index}`));
    else if (kind === 'named')
      for (const [name, inner] of Object.entries(value as Node)) checkSchema(inner, `${where}/${keyword}/${name}`);
    else if (keyword === 'type')
      for (const type of [value].flat()) assert.ok(TYPES.includes(String(type)), `${where}: type ${String(type)}`);
    else if (keyword === '$ref') assert.ok(resolves(String(value)), `${where}: ${String(value)}`);
  }
}

function resolves(reference: string): boolean {
  let node: unknown = DOCUMENT;
  for (const part of reference.replace(/^#\//, '').split('/')) node = (node as Node | undefined)?.[part];
  return reference.startsWith('#/') && typeof node === 'object';
}
