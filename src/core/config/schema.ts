/**
 * The shape of a configuration, checked with zod: which fields there are, of what type, in what bounds, and what a missing one
 * means. It leaves out every rule that looks at two fields at once; those are in `checks.ts`. Unknown fields are refused, so
 * that a misspelt setting is an answer and not a silence.
 */
import { z } from 'zod';
import { fromHex, parseIp4, prefixLengthOf } from '../../wire/units.ts';
import { SCOPE_DEFAULTS, SERVER_DEFAULTS } from './defaults.ts';
import type { Config, Scope } from './model.ts';
import { FOREIGN_KEY_PREFIX } from './partner-key.ts';

/** Something in a configuration that cannot be taken: where, what is wrong, and what to do. */
export interface ShapeFault {
  /** As in `scopes[2].reservations[0].address`; empty for the whole. */
  readonly path: string;
  readonly what: string;
  readonly fix: string;
}

export type ParsedConfig =
  | { readonly kind: 'ok'; readonly config: Config }
  | { readonly kind: 'bad'; readonly faults: readonly ShapeFault[] };
export type ParsedScope =
  | { readonly kind: 'ok'; readonly scope: Scope }
  | { readonly kind: 'bad'; readonly faults: readonly ShapeFault[] };

/** Bounds of the lists, so that no file exhausts the memory of the server. */
export const CONFIG_LIMITS = {
  scopes: 4096,
  exclusionsPerScope: 4096,
  reservationsPerScope: 65_536,
  optionsPerLevel: 1024,
  optionDefinitions: 4096,
  relationships: 31,
  partners: 256,
  tombstones: 1024,
  trustedRelays: 4096,
  faultsReported: 100,
} as const;

/** So that a missing field can be told from one of the wrong type. */
const REPORT_INPUT = { reportInput: true } as const;
const UINT32_MAX = 0xffffffff;

const address = z.string().refine((text) => parseIp4(text) !== undefined, {
  error: 'is not an IPv4 address|Write four decimal numbers from 0 to 255 without leading zeros, as in 10.0.0.1.',
});
const mask = z.string().refine(
  (text) => {
    const value = parseIp4(text);
    return value !== undefined && prefixLengthOf(value) !== undefined;
  },
  { error: 'is not a subnet mask|Write a mask whose one bits are all in front, as in 255.255.255.0.' },
);

function hex(bytesMin: number, bytesMax: number) {
  return z
    .string()
    .refine((text) => isPlainHex(text) && text.length >= 2 * bytesMin && text.length <= 2 * bytesMax, {
      error: `is not ${bytesMin} to ${bytesMax} octets in hexadecimal|Write pairs of hexadecimal digits.`,
    })
    .transform((text) => text.replace(/[-:]/g, '').toLowerCase());
}

function isPlainHex(text: string): boolean {
  return fromHex(text) !== undefined;
}

function text(charactersMin: number, charactersMax: number) {
  return z.string().min(charactersMin).max(charactersMax);
}

const seconds = z.int().min(0).max(UINT32_MAX);
const className = text(1, 255);

const optionValue = z.strictObject({
  code: z.int().min(1).max(254),
  hex: hex(0, 4096),
  vendorClass: className.exactOptional(),
  userClass: className.exactOptional(),
});
const optionValues = z.array(optionValue).max(CONFIG_LIMITS.optionsPerLevel);

const optionDefinition = z.strictObject({
  code: z.int().min(1).max(254),
  name: text(1, 255),
  type: z.enum(['byte', 'word', 'dword', 'dword-dword', 'ipv4-address', 'string', 'binary', 'encapsulated']),
  isArray: z.boolean().default(false),
  description: text(0, 255).exactOptional(),
  vendorClass: className.exactOptional(),
});

const clientKind = z.enum(['Dhcp', 'Bootp', 'Both']);

const reservationKey = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('hardware'), hex: hex(1, 16), htype: z.int().min(0).max(255).exactOptional() }),
  z.strictObject({ kind: z.literal('client-id'), hex: hex(1, 255) }),
  z.strictObject({ kind: z.literal('circuit-id'), hex: hex(1, 253) }),
  z.strictObject({ kind: z.literal('remote-id'), hex: hex(1, 253) }),
]);

const reservation = z.strictObject({
  address,
  client: reservationKey,
  name: text(0, 255).default(''),
  description: text(0, 255).default(''),
  type: clientKind.default('Both'),
  options: optionValues.default([]),
});

const addressRange = z.strictObject({ start: address, end: address });

const scope = z.strictObject({
  scopeId: address,
  subnetMask: mask,
  name: text(0, 255),
  description: text(0, 255).default(SCOPE_DEFAULTS.description),
  startRange: address,
  endRange: address,
  exclusions: z.array(addressRange).max(CONFIG_LIMITS.exclusionsPerScope).default([]),
  reservations: z.array(reservation).max(CONFIG_LIMITS.reservationsPerScope).default([]),
  state: z.enum(['Active', 'Inactive']).default(SCOPE_DEFAULTS.state),
  type: clientKind.default(SCOPE_DEFAULTS.type),
  leaseDurationSec: seconds.default(SCOPE_DEFAULTS.leaseDurationSec),
  delayMs: z.int().min(0).max(1000).default(SCOPE_DEFAULTS.delayMs),
  maxBootpClients: z.int().min(0).max(UINT32_MAX).default(SCOPE_DEFAULTS.maxBootpClients),
  superscopeName: text(1, 255).nullable().default(SCOPE_DEFAULTS.superscopeName),
  activatePolicies: z.boolean().default(SCOPE_DEFAULTS.activatePolicies),
  options: optionValues.default([]),
});

const relationship = z
  .strictObject({
    name: text(1, 1024),
    id: text(1, 128),
    partnerKey: text(0, 128),
    partnerServer: text(1, 255),
    role: z.enum(['primary', 'secondary']),
    mode: z.enum(['LoadBalance', 'HotStandby']),
    isActive: z.boolean(),
    percentage: z.number().min(0).max(100),
    mcltSec: z.int().min(1).max(UINT32_MAX),
    formerMclt: z
      .strictObject({ sec: z.int().min(1).max(UINT32_MAX), untilAt: z.int().min(0).max(UINT32_MAX) })
      .exactOptional(),
    stateSwitchIntervalSec: z.int().min(1).max(UINT32_MAX).nullable(),
    sharedSecretRef: text(1, 255).nullable(),
    scopeIds: z.array(address).max(CONFIG_LIMITS.scopes),
    leavingScopeIds: z.array(address).max(CONFIG_LIMITS.scopes).exactOptional(),
    profile: z.enum(['twinlease', 'isc', 'msft', 'draft']),
  })
  .refine(({ percentage, profile }) => Number.isInteger(percentage) || profile !== 'twinlease', {
    path: ['percentage'],
    error: 'is no whole number|Only with a partner of another make may a share be a part of a percent.',
  });

const port = z.int().min(1).max(65_535);
/** Of a Twinlease server the hash of its key, of a server of another make `foreign:` and its address. */
const partnerKey = z
  .string()
  .max(128)
  .refine((text) => isForeignKey(text) || (isPlainHex(text) && text.length === 64), {
    error: `is neither 32 octets in hexadecimal nor "${FOREIGN_KEY_PREFIX}" and an address|Copy the key from \`twinlease pair list\`.`,
  })
  .transform((text) => (isForeignKey(text) ? text : text.toLowerCase()));

function isForeignKey(text: string): boolean {
  return text.startsWith(FOREIGN_KEY_PREFIX);
}

const partner = z.strictObject({
  key: partnerKey,
  nextKey: hex(32, 32).exactOptional(),
  name: text(1, 255),
  host: text(1, 255),
  port,
  foreign: z
    .strictObject({ kind: z.enum(['isc', 'msft', 'draft']), localAddress: address.nullable().default(null) })
    .exactOptional(),
});

const tombstone = z.strictObject({
  relationshipId: text(1, 128),
  name: text(1, 1024),
  partnerKey: text(0, 128),
  removedAt: seconds,
  scopeIds: z.array(address).max(CONFIG_LIMITS.scopes),
  role: z.enum(['primary', 'secondary']),
  mcltSec: z.int().min(1).max(UINT32_MAX),
});

const server = z.strictObject({
  name: text(1, 255),
  authoritative: z.boolean().default(SERVER_DEFAULTS.authoritative),
  trustedRelays: z.array(address).max(CONFIG_LIMITS.trustedRelays).default([]),
  options: optionValues.default([]),
  loadBalanceMaxSec: z.int().min(0).max(65_535).default(SERVER_DEFAULTS.loadBalanceMaxSec),
  offerHoldSec: z.int().min(1).max(3600).default(SERVER_DEFAULTS.offerHoldSec),
  declineHoldSec: seconds.default(SERVER_DEFAULTS.declineHoldSec),
});

const config = z.strictObject({
  formatVersion: z.literal(1),
  server,
  optionDefinitions: z.array(optionDefinition).max(CONFIG_LIMITS.optionDefinitions).default([]),
  scopes: z.array(scope).max(CONFIG_LIMITS.scopes).default([]),
  relationships: z.array(relationship).max(CONFIG_LIMITS.relationships).default([]),
  partners: z.array(partner).max(CONFIG_LIMITS.partners).default([]),
  tombstones: z.array(tombstone).max(CONFIG_LIMITS.tombstones).default([]),
});

/**
 * Reads a configuration from outside. Missing fields get the defaults of `defaults.ts`, hexadecimal comes out in lower case
 * without separators. What it answers is well formed but not yet consistent: run `checkConfig` on it.
 */
export function parseConfig(value: unknown): ParsedConfig {
  const parsed = config.safeParse(value, REPORT_INPUT);
  return parsed.success ? { kind: 'ok', config: parsed.data } : { kind: 'bad', faults: faultsOf(parsed.error) };
}

/** The same for one scope; run `checkScope` on the result. */
export function parseScope(value: unknown): ParsedScope {
  const parsed = scope.safeParse(value, REPORT_INPUT);
  return parsed.success ? { kind: 'ok', scope: parsed.data } : { kind: 'bad', faults: faultsOf(parsed.error) };
}

/** The JSON Schema of the configuration file, for editors and for the manual. */
export function configJsonSchema(): unknown {
  return z.toJSONSchema(config, { io: 'input', unrepresentable: 'any' });
}

function faultsOf(error: z.ZodError): ShapeFault[] {
  return error.issues.slice(0, CONFIG_LIMITS.faultsReported).map(faultOf);
}

function faultOf(issue: z.core.$ZodIssue): ShapeFault {
  const path = pathText(issue.path);
  switch (issue.code) {
    case 'unrecognized_keys':
      return {
        path,
        what: `has unknown fields: ${issue.keys.join(', ')}`,
        fix: 'Remove them, or correct their spelling.',
      };
    case 'invalid_type':
      if (issue.input === undefined)
        return { path, what: 'is missing', fix: `Give a value of the type ${issue.expected}.` };
      return { path, what: `is not of the type ${issue.expected}`, fix: `Give a value of the type ${issue.expected}.` };
    case 'invalid_value':
      return {
        path,
        what: 'is not one of the allowed values',
        fix: `Use one of: ${issue.values.map((value) => String(value)).join(', ')}.`,
      };
    case 'too_small':
      return { path, what: `is below ${issue.minimum}`, fix: `Give ${issue.minimum} or more.` };
    case 'too_big':
      return { path, what: `is above ${issue.maximum}`, fix: `Give ${issue.maximum} or less.` };
    case 'custom': {
      const [what = 'is not valid', fix = 'Correct it.'] = issue.message.split('|');
      return { path, what, fix };
    }
    default:
      return { path, what: issue.message, fix: 'Correct it.' };
  }
}

function pathText(path: readonly PropertyKey[]): string {
  let out = '';
  for (const part of path) {
    if (typeof part === 'number') out += `[${part}]`;
    else out += (out === '' ? '' : '.') + String(part);
  }
  return out;
}
