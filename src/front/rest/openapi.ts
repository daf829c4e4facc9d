/** The OpenAPI 3.1 description of the REST door, made from the same schemas that check the requests. */
import { z } from 'zod';
import type { Operation } from '../../manage/operation.ts';
import { outerName } from './names.ts';
import { pathOf } from './paths.ts';

type JsonSchema = Record<string, unknown>;

export function openApi(operations: readonly Operation[], version: string): JsonSchema {
  const paths: Record<string, JsonSchema> = {};
  for (const operation of operations) {
    paths[pathOf(operation)] = {
      post: {
        operationId: operation.name,
        summary: operation.summary,
        description:
          operation.windows === undefined ? operation.summary : `${operation.summary} (${operation.windows})`,
        tags: [operation.name.split('.')[0]],
        ...(operation.changes
          ? {
              parameters: [
                {
                  name: 'whatIf',
                  in: 'query',
                  schema: { type: 'boolean' },
                  description: 'Only says what would happen.',
                },
              ],
            }
          : {}),
        requestBody: {
          required: false,
          content: { 'application/json': { schema: outerNames(schemaOf(operation.params, 'input')) } },
        },
        responses: {
          200: { description: 'Done.', content: { 'application/json': { schema: answerSchema(operation) } } },
          default: {
            description: 'Refused.',
            content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
          },
        },
      },
    };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Twinlease', version, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    security: [{ token: [] }],
    paths,
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      schemas: { Problem: PROBLEM_SCHEMA },
    },
  };
}

const PROBLEM_SCHEMA: JsonSchema = {
  type: 'object',
  required: ['type', 'title', 'status', 'detail', 'code'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    code: { type: 'string' },
    severity: { enum: ['info', 'warning', 'error'] },
    why: { type: 'string' },
    action: { type: 'string' },
    target: { type: ['string', 'null'] },
    messageId: { type: ['string', 'null'], description: 'As PowerShell shows it: DHCP n or WIN32 n.' },
    windowsNumber: { type: ['integer', 'null'] },
    windowsSymbol: { type: ['string', 'null'] },
    problems: { type: 'array', items: { $ref: '#/components/schemas/Problem' } },
  },
};

/** Names of the operation's parameters, as its schema spells them. */
export function parameterNames(operation: Operation): string[] {
  const { properties } = schemaOf(operation.params, 'input');
  return Object.keys(typeof properties === 'object' && properties !== null ? properties : {});
}

function answerSchema(operation: Operation): JsonSchema {
  const problems = { type: 'array', items: { $ref: '#/components/schemas/Problem' } };
  return {
    type: 'object',
    required: ['value', 'warnings', 'errors'],
    properties: { value: outerNames(schemaOf(operation.result, 'output')), warnings: problems, errors: problems },
  };
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  const made = z.toJSONSchema(schema, { target: 'draft-2020-12', io, unrepresentable: 'any' }) as JsonSchema;
  delete made['$schema'];
  return made;
}

/** Property names of the schema in the door's spelling. */
function outerNames(schema: unknown): JsonSchema {
  return rename(schema) as JsonSchema;
}

function rename(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(rename);
  if (typeof node !== 'object' || node === null) return node;
  const renamed: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(node)) {
    if (key === 'properties' && typeof value === 'object' && value !== null) {
      renamed[key] = Object.fromEntries(Object.entries(value).map(([name, inner]) => [outerName(name), rename(inner)]));
    } else if (key === 'required' && Array.isArray(value)) renamed[key] = value.map((name) => outerName(String(name)));
    else renamed[key] = rename(value);
  }
  return renamed;
}
