/**
 * The rules that look at more than one field of a configuration: what a scope may be, and how scopes, reservations and
 * relationships may stand together. Each refusal says why, what to do, and carries Windows's own code where Windows has one
 * (management specification 1.8). It leaves out shapes and single bounds, which `schema.ts` has checked before.
 */
import { formatIp4, ip4, maskOf, parseIp4 } from '../../wire/units.ts';
import type {
  Config,
  OptionDefinition,
  OptionValue,
  Partner,
  Relationship,
  Reservation,
  ReservationKey,
  Scope,
} from './model.ts';
import { FOREIGN_KEY_PREFIX, foreignKey, profileOf } from './partner-key.ts';
import { addressOf, prefixOf } from './pool-shape.ts';
import type { ShapeFault } from './schema.ts';

/** A broken rule. `rule` is a stable name; `windowsCode` the number that the class answers, 87 where it has no other. */
export interface ConfigFault extends ShapeFault {
  readonly rule: RuleName;
  readonly windowsCode: number;
}

export type RuleName =
  | 'network-reserved'
  | 'network-not-aligned'
  | 'prefix-too-long'
  | 'range-backwards'
  | 'range-outside-network'
  | 'range-holds-network-address'
  | 'range-holds-broadcast-address'
  | 'lease-too-short'
  | 'exclusion-backwards'
  | 'exclusion-outside-range'
  | 'exclusion-overlaps'
  | 'reservation-outside-network'
  | 'reservation-not-a-host'
  | 'reservation-address-twice'
  | 'reservation-client-twice'
  | 'option-twice'
  | 'option-not-settable'
  | 'option-value-malformed'
  | 'definition-twice'
  | 'scope-exists'
  | 'scopes-overlap'
  | 'superscope-name-case'
  | 'relationship-name-twice'
  | 'relationship-name-too-long'
  | 'relationship-partner-unknown'
  | 'relationship-scope-unknown'
  | 'relationship-scope-taken'
  | 'relationship-scope-bootp'
  | 'relationship-profile'
  | 'relationship-partner-shared'
  | 'relationship-secret-unused'
  | 'relationships-too-many'
  | 'partner-foreign-key'
  | 'partner-foreign-host'
  | 'partner-twice';

/** RFC 2131 needs a network, a broadcast and two host addresses: nothing smaller than a /30 can be a scope. */
export const PREFIX_LENGTH_MAX = 30;
export const RELATIONSHIPS_MAX = 31;
export const RELATIONSHIP_NAME_MAX = 126;

const INVALID_PARAMETER = 87;
const SUBNET_NOT_PRESENT = 20005;
const RESERVEDIP_EXISTS = 20022;
const INVALID_RANGE = 20023;
const SUBNET_EXISTS = 20052;
const FO_SCOPE_ALREADY_IN_RELATIONSHIP = 20113;
const FO_RELATIONSHIP_EXISTS = 20114;
const FO_RELATIONSHIP_NAME_TOO_LONG = 20125;
const FO_MAX_RELATIONSHIPS = 20128;
const FO_BOOT_NOT_SUPPORTED = 20131;

/** Networks that hold no hosts which could be given an address by a server (RFC 6890, RFC 1112). */
const UNUSABLE_NETWORKS = [
  { first: 0x00000000, prefixLength: 8, why: '0.0.0.0/8 means "this network"' },
  { first: 0x7f000000, prefixLength: 8, why: '127.0.0.0/8 is the loopback of every host' },
  { first: 0xa9fe0000, prefixLength: 16, why: '169.254.0.0/16 is link-local, and hosts choose there for themselves' },
  { first: 0xe0000000, prefixLength: 4, why: '224.0.0.0/4 is multicast' },
  { first: 0xf0000000, prefixLength: 4, why: '240.0.0.0/4 is reserved' },
] as const;

/** Options that the server makes itself or that only clients and relays send. */
const OPTIONS_NOT_SETTABLE: ReadonlySet<number> = new Set([50, 52, 53, 54, 55, 56, 57, 61, 82, 118]);

/** Everything wrong with one scope by itself. */
export function checkScope(scope: Scope, path = 'scope', definitions: readonly OptionDefinition[] = []): ConfigFault[] {
  const faults: ConfigFault[] = [];
  const network = checkNetwork(scope, path, faults);
  if (network === undefined) return faults;
  checkRange(scope, path, network, faults);
  checkExclusions(scope, path, faults);
  checkReservations(scope, path, network, definitions, faults);
  checkOptions(scope.options, `${path}.options`, definitions, faults);
  if (scope.leaseDurationSec < 1) {
    faults.push({
      rule: 'lease-too-short',
      path: `${path}.leaseDurationSec`,
      what: 'is no time at all',
      fix: 'Give one second or more; 4294967295 is "for ever".',
      windowsCode: INVALID_PARAMETER,
    });
  }
  return faults;
}

/** Everything wrong with a parsed configuration, in the order of the file. Empty means that it can be taken into use. */
export function checkConfig(config: Config): ConfigFault[] {
  const faults: ConfigFault[] = [];
  checkOptions(config.server.options, 'server.options', config.optionDefinitions, faults);
  checkDefinitions(config.optionDefinitions, faults);
  config.scopes.forEach((scope, i) => {
    faults.push(...checkScope(scope, `scopes[${i}]`, config.optionDefinitions));
  });
  checkOverlaps(config.scopes, faults);
  checkSuperscopes(config.scopes, faults);
  checkRelationships(config, faults);
  checkPartners(config, faults);
  return faults;
}

interface Network {
  readonly first: number;
  readonly last: number;
}

function checkNetwork(scope: Scope, path: string, faults: ConfigFault[]): Network | undefined {
  const prefixLength = prefixOf(scope);
  const first = addressOf(scope.scopeId);
  const say = (rule: RuleName, field: string, what: string, fix: string): undefined => {
    faults.push({ rule, path: `${path}.${field}`, what, fix, windowsCode: INVALID_PARAMETER });
    return undefined;
  };
  if (prefixLength > PREFIX_LENGTH_MAX) {
    return say(
      'prefix-too-long',
      'subnetMask',
      `makes a /${prefixLength}, which has no room for hosts`,
      'Use 255.255.255.252 (/30) or a shorter mask.',
    );
  }
  if (prefixLength === 0) {
    return say('prefix-too-long', 'subnetMask', 'covers every address there is', 'Use the mask of one network.');
  }
  if (ip4(first & maskOf(prefixLength)) !== first) {
    return say(
      'network-not-aligned',
      'scopeId',
      `is not the network address of a /${prefixLength}`,
      `Use ${formatIp4(ip4(first & maskOf(prefixLength)))}.`,
    );
  }
  const last = first + 2 ** (32 - prefixLength) - 1;
  for (const unusable of UNUSABLE_NETWORKS) {
    const end = unusable.first + 2 ** (32 - unusable.prefixLength) - 1;
    if (first <= end && last >= unusable.first) {
      return say('network-reserved', 'scopeId', `cannot be served: ${unusable.why}`, 'Use a unicast network.');
    }
  }
  return { first, last };
}

function checkRange(scope: Scope, path: string, network: Network, faults: ConfigFault[]): void {
  const start = addressOf(scope.startRange);
  const end = addressOf(scope.endRange);
  const say = (rule: RuleName, field: string, what: string, fix: string): void => {
    faults.push({ rule, path: `${path}.${field}`, what, fix, windowsCode: INVALID_RANGE });
  };
  if (start > end) {
    say('range-backwards', 'endRange', `${scope.endRange} is below ${scope.startRange}`, 'Exchange the two ends.');
    return;
  }
  const hosts = `${formatIp4(ip4(network.first + 1))} to ${formatIp4(ip4(network.last - 1))}`;
  for (const [field, address] of [
    ['startRange', start],
    ['endRange', end],
  ] as const) {
    if (address < network.first || address > network.last) {
      say('range-outside-network', field, `${formatIp4(address)} is not in the network`, `Stay within ${hosts}.`);
    }
  }
  if (start === network.first) {
    say('range-holds-network-address', 'startRange', 'is the network address', `Stay within ${hosts}.`);
  }
  if (end === network.last) {
    say('range-holds-broadcast-address', 'endRange', 'is the broadcast address', `Stay within ${hosts}.`);
  }
}

function checkExclusions(scope: Scope, path: string, faults: ConfigFault[]): void {
  const start = addressOf(scope.startRange);
  const end = addressOf(scope.endRange);
  const spans: { first: number; last: number; path: string }[] = [];
  scope.exclusions.forEach((range, i) => {
    const at = `${path}.exclusions[${i}]`;
    const first = addressOf(range.start);
    const last = addressOf(range.end);
    const say = (rule: RuleName, what: string, fix: string): void => {
      faults.push({ rule, path: at, what, fix, windowsCode: INVALID_RANGE });
    };
    if (first > last) say('exclusion-backwards', `${range.end} is below ${range.start}`, 'Exchange the two ends.');
    else if (first < start || last > end) {
      say(
        'exclusion-outside-range',
        `${range.start} to ${range.end} is not within the scope's range`,
        `Stay within ${scope.startRange} to ${scope.endRange}; addresses outside are not given out anyway.`,
      );
    } else spans.push({ first, last, path: at });
  });
  spans.sort((a, b) => a.first - b.first);
  for (let i = 1; i < spans.length; i++) {
    const before = spans[i - 1]!;
    const here = spans[i]!;
    if (here.first <= before.last) {
      faults.push({
        rule: 'exclusion-overlaps',
        path: here.path,
        what: `overlaps ${before.path}`,
        fix: 'Leave one of the two away, or join them.',
        windowsCode: INVALID_RANGE,
      });
    }
  }
}

function checkReservations(
  scope: Scope,
  path: string,
  network: Network,
  definitions: readonly OptionDefinition[],
  faults: ConfigFault[],
): void {
  const addresses = new Map<string, number>();
  const clients = new Map<string, number>();
  scope.reservations.forEach((reservation, i) => {
    const at = `${path}.reservations[${i}]`;
    checkReservedAddress(reservation, at, network, faults);
    claim(addresses, reservation.address, i, (first) =>
      faults.push({
        rule: 'reservation-address-twice',
        path: `${at}.address`,
        what: `${reservation.address} is reserved by ${path}.reservations[${first}] already`,
        fix: 'Choose another address, or remove the other reservation.',
        windowsCode: RESERVEDIP_EXISTS,
      }),
    );
    claim(clients, reservationKeyText(reservation.client), i, (first) =>
      faults.push({
        rule: 'reservation-client-twice',
        path: `${at}.client`,
        what: `the same client has ${scope.reservations[first]!.address} reserved already`,
        fix: 'A client has one reservation in a scope: change the other one.',
        windowsCode: RESERVEDIP_EXISTS,
      }),
    );
    checkOptions(reservation.options, `${at}.options`, definitions, faults, 'reservation');
  });
}

function checkReservedAddress(reservation: Reservation, at: string, network: Network, faults: ConfigFault[]): void {
  const address = addressOf(reservation.address);
  if (address < network.first || address > network.last) {
    faults.push({
      rule: 'reservation-outside-network',
      path: `${at}.address`,
      what: `${reservation.address} is not in the network of the scope`,
      fix: 'Reserve an address of this network; it may lie outside the range.',
      windowsCode: INVALID_PARAMETER,
    });
  } else if (address === network.first || address === network.last) {
    faults.push({
      rule: 'reservation-not-a-host',
      path: `${at}.address`,
      what: `is the ${address === network.first ? 'network' : 'broadcast'} address`,
      fix: 'Reserve an address that a host can have.',
      windowsCode: INVALID_PARAMETER,
    });
  }
}

/** One text per client as reservations know it: equal texts are the same client. */
export function reservationKeyText(key: ReservationKey): string {
  switch (key.kind) {
    case 'hardware':
      return `hardware ${key.htype ?? 1} ${key.hex}`;
    case 'client-id':
    case 'circuit-id':
    case 'remote-id':
      return `${key.kind} ${key.hex}`;
    default:
      return key satisfies never;
  }
}

function checkOptions(
  options: readonly OptionValue[],
  path: string,
  definitions: readonly OptionDefinition[],
  faults: ConfigFault[],
  level: 'scope' | 'reservation' = 'scope',
): void {
  const seen = new Map<string, number>();
  options.forEach((option, i) => {
    const at = `${path}[${i}]`;
    const say = (rule: RuleName, what: string, fix: string): void => {
      faults.push({ rule, path: at, what, fix, windowsCode: INVALID_PARAMETER });
    };
    claim(seen, `${option.code}|${option.vendorClass ?? ''}|${option.userClass ?? ''}`, i, (first) =>
      say('option-twice', `option ${option.code} is set by ${path}[${first}] already`, 'Leave one of the two away.'),
    );
    const definition = definitionOf(definitions, option);
    // Inside a vendor's own space the numbers mean what the vendor says.
    const isOfVendorSpace = definition?.vendorClass !== undefined;
    if (!isOfVendorSpace && OPTIONS_NOT_SETTABLE.has(option.code)) {
      say('option-not-settable', `option ${option.code} is made by the server, the client or the relay`, 'Remove it.');
    }
    if (!isOfVendorSpace && option.code === LEASE_TIME) {
      if (level === 'scope')
        say('option-not-settable', 'the lease time is a setting of the scope', 'Set leaseDurationSec.');
      else if (option.vendorClass !== undefined || option.userClass !== undefined || !isLeaseTime(option.hex)) {
        say('option-value-malformed', 'a lease time is four octets above 0, for every class', 'Correct the value.');
      }
    }
    const wrong = definition === undefined ? undefined : valueFault(definition, option.hex.length / 2);
    if (wrong !== undefined)
      say('option-value-malformed', `option ${option.code} (${definition?.name}) ${wrong}`, 'Correct the value.');
  });
}

/** The definition that rules a value: the vendor class's own if it has one, else the common one. */
export function definitionOf(
  definitions: readonly OptionDefinition[],
  option: OptionValue,
): OptionDefinition | undefined {
  let common: OptionDefinition | undefined;
  for (const definition of definitions) {
    if (definition.code !== option.code) continue;
    if (definition.vendorClass === undefined) common = definition;
    else if (definition.vendorClass === option.vendorClass) return definition;
  }
  return common;
}

const LEASE_TIME = 51;

function isLeaseTime(hex: string): boolean {
  return hex.length === 8 && hex !== '00000000';
}

const TYPE_BYTES = { byte: 1, word: 2, dword: 4, 'dword-dword': 8, 'ipv4-address': 4 } as const;

function valueFault(definition: OptionDefinition, byteLength: number): string | undefined {
  const type = definition.type;
  if (type === 'string' || type === 'binary' || type === 'encapsulated') return undefined;
  const each = TYPE_BYTES[type];
  if (definition.isArray) {
    return byteLength > 0 && byteLength % each === 0 ? undefined : `must have a multiple of ${each} octets`;
  }
  return byteLength === each ? undefined : `must have ${each} octets`;
}

function checkDefinitions(definitions: readonly OptionDefinition[], faults: ConfigFault[]): void {
  const seen = new Map<string, number>();
  definitions.forEach((definition, i) => {
    claim(seen, `${definition.code}|${definition.vendorClass ?? ''}`, i, (first) =>
      faults.push({
        rule: 'definition-twice',
        path: `optionDefinitions[${i}]`,
        what: `option ${definition.code} is defined by optionDefinitions[${first}] already`,
        fix: 'Leave one of the two away.',
        windowsCode: INVALID_PARAMETER,
      }),
    );
  });
}

function checkOverlaps(scopes: readonly Scope[], faults: ConfigFault[]): void {
  const spans = scopes.map((scope, i) => {
    const first = addressOf(scope.scopeId);
    return { first, last: first + 2 ** (32 - prefixOf(scope)) - 1, i };
  });
  spans.sort((a, b) => a.first - b.first || a.i - b.i);
  let widest = spans[0];
  for (const span of spans.slice(1)) {
    if (widest !== undefined && span.first <= widest.last) {
      const one = scopes[Math.min(span.i, widest.i)]!;
      const later = Math.max(span.i, widest.i);
      const isSame = scopes[later]!.scopeId === one.scopeId;
      faults.push({
        rule: isSame ? 'scope-exists' : 'scopes-overlap',
        path: `scopes[${later}].scopeId`,
        what: isSame ? `there is a scope ${one.scopeId} already` : `overlaps the network of scope ${one.scopeId}`,
        fix: isSame ? 'Change that scope instead.' : 'Use another network, or another mask.',
        windowsCode: SUBNET_EXISTS,
      });
    }
    if (widest === undefined || span.last > widest.last) widest = span;
  }
}

function checkSuperscopes(scopes: readonly Scope[], faults: ConfigFault[]): void {
  const spellings = new Map<string, string>();
  scopes.forEach((scope, i) => {
    if (scope.superscopeName === null) return;
    const folded = scope.superscopeName.toLowerCase();
    const before = spellings.get(folded);
    if (before === undefined) spellings.set(folded, scope.superscopeName);
    else if (before !== scope.superscopeName) {
      faults.push({
        rule: 'superscope-name-case',
        path: `scopes[${i}].superscopeName`,
        what: `"${scope.superscopeName}" differs from the superscope "${before}" only in upper and lower case`,
        fix: `Write "${before}", or choose a name of its own.`,
        windowsCode: INVALID_PARAMETER,
      });
    }
  });
}

function checkRelationships(config: Config, faults: ConfigFault[]): void {
  if (config.relationships.length > RELATIONSHIPS_MAX) {
    faults.push({
      rule: 'relationships-too-many',
      path: 'relationships',
      what: `has ${config.relationships.length} entries`,
      fix: `A server takes part in at most ${RELATIONSHIPS_MAX}.`,
      windowsCode: FO_MAX_RELATIONSHIPS,
    });
  }
  const names = new Map<string, number>();
  const scopesById = new Map(config.scopes.map((scope) => [scope.scopeId, scope]));
  const taken = new Map<string, string>();
  config.relationships.forEach((relationship, i) => {
    const at = `relationships[${i}]`;
    claim(names, relationship.name.toLowerCase(), i, () =>
      faults.push({
        rule: 'relationship-name-twice',
        path: `${at}.name`,
        what: `there is a relationship "${relationship.name}" already`,
        fix: 'Choose another name.',
        windowsCode: FO_RELATIONSHIP_EXISTS,
      }),
    );
    checkRelationship(config, relationship, at, faults);
    relationship.scopeIds.forEach((scopeId, n) => {
      checkMember(relationship, scopeId, `${at}.scopeIds[${n}]`, scopesById, taken, faults);
    });
  });
}

function checkRelationship(config: Config, relationship: Relationship, at: string, faults: ConfigFault[]): void {
  if (relationship.name.length > RELATIONSHIP_NAME_MAX) {
    faults.push({
      rule: 'relationship-name-too-long',
      path: `${at}.name`,
      what: `has ${relationship.name.length} characters`,
      fix: `Use at most ${RELATIONSHIP_NAME_MAX}.`,
      windowsCode: FO_RELATIONSHIP_NAME_TOO_LONG,
    });
  }
  const partner = config.partners.find((one) => one.key === relationship.partnerKey);
  if (partner === undefined) {
    faults.push({
      rule: 'relationship-partner-unknown',
      path: `${at}.partnerKey`,
      what: `names no partner that this server was introduced to (${relationship.partnerServer})`,
      fix: 'Introduce the two servers first, or declare the partner foreign.',
      windowsCode: INVALID_PARAMETER,
    });
    return;
  }
  if (relationship.profile !== profileOf(partner)) {
    faults.push({
      rule: 'relationship-profile',
      path: `${at}.profile`,
      what: `is ${relationship.profile}, but the partner ${partner.name} speaks ${profileOf(partner)}`,
      fix: `Write ${profileOf(partner)}, or name another partner.`,
      windowsCode: INVALID_PARAMETER,
    });
  }
  if (partner.foreign === undefined) return;
  // Its connections are told apart by address alone (failover specification 11.2).
  const other = config.relationships.find((one) => one !== relationship && one.partnerKey === partner.key);
  if (other !== undefined && config.relationships.indexOf(other) < config.relationships.indexOf(relationship)) {
    faults.push({
      rule: 'relationship-partner-shared',
      path: `${at}.partnerKey`,
      what: `names the partner ${partner.name} of another make, with which there is the relationship "${other.name}" already`,
      fix: 'Add the scopes to that relationship.',
      windowsCode: INVALID_PARAMETER,
    });
  }
  // Failover specification 1.12: dhcpd neither sends nor checks a message digest.
  if (partner.foreign.kind === 'isc' && relationship.sharedSecretRef !== null) {
    faults.push({
      rule: 'relationship-secret-unused',
      path: `${at}.sharedSecretRef`,
      what: 'names a shared secret, which ISC dhcpd cannot use',
      fix: 'Write null, and protect the connection between the two by other means.',
      windowsCode: INVALID_PARAMETER,
    });
  }
}

function checkMember(
  relationship: Relationship,
  scopeId: string,
  path: string,
  scopesById: ReadonlyMap<string, Scope>,
  taken: Map<string, string>,
  faults: ConfigFault[],
): void {
  const scope = scopesById.get(scopeId);
  if (scope === undefined) {
    faults.push({
      rule: 'relationship-scope-unknown',
      path,
      what: `there is no scope ${scopeId}`,
      fix: 'Add the scope first, or leave it away.',
      windowsCode: SUBNET_NOT_PRESENT,
    });
  } else if (scope.type === 'Bootp') {
    faults.push({
      rule: 'relationship-scope-bootp',
      path,
      what: `scope ${scopeId} serves BOOTP clients only, whose addresses have no end and cannot be shared`,
      fix: 'Change the type of the scope to Dhcp.',
      windowsCode: FO_BOOT_NOT_SUPPORTED,
    });
  }
  const owner = taken.get(scopeId);
  if (owner !== undefined) {
    faults.push({
      rule: 'relationship-scope-taken',
      path,
      what: `scope ${scopeId} is in the relationship "${owner}" already`,
      fix: 'A scope is in one relationship at most: take it out of the other first.',
      windowsCode: FO_SCOPE_ALREADY_IN_RELATIONSHIP,
    });
  }
  taken.set(scopeId, relationship.name);
}

function checkPartners(config: Config, faults: ConfigFault[]): void {
  const keys = new Map<string, number>();
  config.partners.forEach((partner, i) => {
    claim(keys, partner.key, i, (first) =>
      faults.push({
        rule: 'partner-twice',
        path: `partners[${i}].key`,
        what: `partners[${first}] has the same key`,
        fix:
          partner.foreign === undefined
            ? 'Two hosts with one identity are refused: make a new identity on one of them.'
            : 'One address has one server: remove one of the two.',
        windowsCode: INVALID_PARAMETER,
      }),
    );
    checkForeign(partner, `partners[${i}]`, faults);
  });
}

function checkForeign(partner: Partner, at: string, faults: ConfigFault[]): void {
  if (partner.foreign === undefined) {
    if (!partner.key.startsWith(FOREIGN_KEY_PREFIX)) return;
    faults.push({
      rule: 'partner-foreign-key',
      path: `${at}.key`,
      what: 'is the key of a server of another make, but it is not said of which',
      fix: 'Add the field "foreign" with its kind, or give the key of a Twinlease server.',
      windowsCode: INVALID_PARAMETER,
    });
    return;
  }
  if (parseIp4(partner.host) === undefined) {
    faults.push({
      rule: 'partner-foreign-host',
      path: `${at}.host`,
      what: `"${partner.host}" is not an IPv4 address`,
      fix: 'A server of another make is recognised by the address that it calls from: write that.',
      windowsCode: INVALID_PARAMETER,
    });
    return;
  }
  if (partner.key === foreignKey(partner.host) && partner.nextKey === undefined) return;
  faults.push({
    rule: 'partner-foreign-key',
    path: `${at}.key`,
    what: 'a server of another make is known by its address alone',
    fix: `Write ${foreignKey(partner.host)}, and no next key.`,
    windowsCode: INVALID_PARAMETER,
  });
}

function claim(seen: Map<string, number>, key: string, index: number, onTwice: (first: number) => void): void {
  const first = seen.get(key);
  if (first === undefined) seen.set(key, index);
  else onTwice(first);
}
