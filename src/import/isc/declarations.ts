/**
 * From statements to declarations: networks, pools, hosts, groups, classes and failover peers, with the settings of each level.
 * Statements that cannot mean anything here are reported at once; settings are reported by those who use them.
 */
import { ip4, prefixLengthOf } from '../../wire/units.ts';
import { lookUp } from '../look-up.ts';
import { type ClassTest, readMatched, readTest, testOf } from './conditions.ts';
import type { Branch, ClassDeclaration, Declared, Host, Level, Pool, Setting, Subnet } from './model.ts';
import { parameterKey } from './model.ts';
import { OptionReader } from './option-statements.ts';
import { standardSpaces } from './option-types.ts';
import { latin1, readData, readIp4 } from './option-values.ts';
import { MAPPED_PARAMETERS, parameterOf, reportParameter } from './parameters.ts';
import type { Report } from './report.ts';
import { type IncludeFate, isMark, nameAt, type Statement, wordAt } from './statements.ts';

/** Where a statement stands. */
interface Place {
  readonly level: Level;
  readonly pool?: Pool;
  readonly subnet?: Subnet;
  readonly host?: Host;
  readonly ofClass?: ClassDeclaration;
}

export function declare(
  statements: readonly Statement[],
  includes: ReadonlyMap<Statement, IncludeFate>,
  report: Report,
): Declared {
  const declarer = new Declarer(includes, report);
  declarer.all(statements, { level: declarer.declared.global });
  return declarer.declared;
}

function newLevel(kind: Level['kind'], parent: Level | undefined, statement: Statement | undefined, name = ''): Level {
  return { kind, parent, statement, name, items: [], peer: parent?.peer };
}

class Declarer {
  readonly declared: Declared;
  readonly #includes: ReadonlyMap<Statement, IncludeFate>;
  readonly #report: Report;
  readonly #options: OptionReader;

  constructor(includes: ReadonlyMap<Statement, IncludeFate>, report: Report) {
    const spaces = standardSpaces();
    this.#includes = includes;
    this.#report = report;
    this.declared = {
      global: newLevel('global', undefined, undefined),
      spaces,
      definitions: [],
      settings: [],
      subnets: [],
      pools: [],
      hosts: [],
      classes: [],
      peers: [],
    };
    this.#options = new OptionReader(spaces, this.declared.definitions, report);
  }

  all(statements: readonly Statement[], place: Place): void {
    for (let at = 0; at < statements.length; at++) {
      const statement = statements[at]!;
      const arms = armsFrom(statements, at);
      if (arms.length > 0) {
        this.#choice(arms, place);
        at += arms.length - 1;
      } else this.#one(statement, place);
    }
  }

  #one(statement: Statement, place: Place): void {
    switch (wordAt(statement, 0)) {
      case 'include':
        this.#include(statement);
        return;
      case 'option':
      case 'supersede':
      case 'default':
      case 'append':
      case 'prepend':
        this.#option(statement, place);
        return;
      case 'shared-network':
        this.#sharedNetwork(statement, place);
        return;
      case 'subnet':
        this.#subnet(statement, place);
        return;
      case 'group':
        this.#block(statement, { ...place, level: newLevel('group', place.level, statement) }, 'a group of settings');
        return;
      case 'pool':
        this.#pool(statement, place);
        return;
      case 'range':
        this.#range(statement, place);
        return;
      case 'host':
        this.#host(statement, place);
        return;
      case 'class':
      case 'subclass':
        this.#class(statement, place);
        return;
      case 'failover':
        this.#failover(statement, place);
        return;
      case 'allow':
      case 'deny':
      case 'ignore':
        this.#permit(statement, place);
        return;
      case 'not':
      case 'authoritative':
        this.#authoritative(statement, place);
        return;
      default:
        this.#other(statement, place);
    }
  }

  #include(statement: Statement): void {
    const file = nameAt(statement, 1) ?? '';
    switch (this.#includes.get(statement)) {
      case 'read':
        this.#report.carried(statement, `${file} was read`);
        return;
      case 'too-deep':
        this.#report.notCarried(statement, 'files that include each other go too deep', 'Join some of them.');
        return;
      case 'too-many':
        this.#report.notCarried(statement, 'too many files are included', 'Join some of them.');
        return;
      default:
        this.#report.notCarried(
          statement,
          `${file} cannot be read`,
          'Put the file where the configuration names it, and import again.',
        );
    }
  }

  #option(statement: Statement, place: Place): void {
    // In a host this is how the client is known, not what it is sent.
    if (place.host !== undefined && isClientIdentifier(statement, 1)) {
      const octets = readData(statement.tokens.slice(2));
      if (octets !== undefined) {
        this.#identify(place.host, 'client-id', octets, statement);
        return;
      }
    }
    const setting = this.#options.read(statement);
    if (setting !== undefined) this.#set(place, setting);
  }

  #set(place: Place, setting: Setting): void {
    place.level.items.push(setting);
    this.declared.settings.push(setting);
  }

  #block(statement: Statement, place: Place, what: string): void {
    if (statement.block === undefined) {
      this.#report.notCarried(statement, 'has no block', 'Correct the file; dhcpd would not start with it either.');
      return;
    }
    this.#report.carried(statement, what);
    this.all(statement.block, place);
  }

  #sharedNetwork(statement: Statement, place: Place): void {
    const name = nameAt(statement, 1) ?? '';
    const level = newLevel('shared-network', place.level, statement, name);
    this.#block(statement, { level }, `its networks are the superscope ${name}`);
  }

  #subnet(statement: Statement, place: Place): void {
    const { tokens } = statement;
    const network = readIp4(tokens[1]?.text ?? '');
    const mask = readIp4(tokens[3]?.text ?? '');
    const prefixLength = mask === undefined ? undefined : prefixLengthOf(ip4(mask));
    if (network === undefined || mask === undefined || prefixLength === undefined || ip4(network & mask) !== network) {
      const outcome = 'is not a network address with its mask';
      this.#report.wholeNotCarried(statement, outcome, 'Correct the file; dhcpd would not start with it either.');
      return;
    }
    const level = newLevel('subnet', place.level, statement);
    const span = { first: network, last: network + 2 ** (32 - prefixLength) - 1 };
    const subnet: Subnet = { level, statement, network: ip4(network), mask: ip4(mask), span };
    const pool: Pool = { level, ranges: [], permits: [] };
    this.declared.subnets.push(subnet);
    this.declared.pools.push(pool);
    this.all(statement.block ?? [], { level, subnet, pool });
  }

  #pool(statement: Statement, place: Place): void {
    if (place.level.kind === 'global' || place.level.kind === 'group' || place.level.kind === 'pool') {
      this.#report.wholeNotCarried(statement, 'a pool stands in a subnet or a shared network only');
      return;
    }
    const level = newLevel('pool', place.level, statement);
    const pool: Pool = { level, ranges: [], permits: [] };
    this.declared.pools.push(pool);
    this.#block(statement, { ...place, level, pool }, 'its addresses belong to the scope of the network');
  }

  #range(statement: Statement, place: Place): void {
    const words = statement.tokens.slice(1);
    const isBootp = words[0]?.text.toLowerCase() === 'dynamic-bootp';
    const [first, last = first] = words.slice(isBootp ? 1 : 0).map((token) => readIp4(token.text));
    if (place.pool === undefined || first === undefined || last === undefined) {
      this.#report.notCarried(statement, 'is no range of addresses of a network');
      return;
    }
    // dhcpd takes the two ends in any order.
    place.pool.ranges.push({ statement, isBootp, first: Math.min(first, last), last: Math.max(first, last) });
  }

  #host(statement: Statement, place: Place): void {
    const name = nameAt(statement, 1) ?? '';
    const level = newLevel('host', place.level, statement, name);
    const host: Host = { level, statement, name, hardware: undefined, identifier: undefined, addresses: [] };
    this.declared.hosts.push(host);
    this.all(statement.block ?? [], { level, host });
  }

  #hardware(host: Host, statement: Statement): void {
    const htype = lookUp(HARDWARE_TYPES, wordAt(statement, 1));
    const octets = readData(statement.tokens.slice(2));
    if (htype === undefined || octets === undefined || octets.length > HARDWARE_OCTETS_MAX) {
      this.#report.notCarried(statement, 'is no hardware address of a kind that is known here');
      return;
    }
    host.hardware = { htype, octets, statement };
  }

  #identify(
    host: Host,
    kind: 'client-id' | 'circuit-id' | 'remote-id',
    octets: Uint8Array,
    statement: Statement,
  ): void {
    if (octets.length === 0 || octets.length > IDENTIFIER_OCTETS_MAX) {
      this.#report.notCarried(statement, `the identifier does not have 1 to ${IDENTIFIER_OCTETS_MAX} octets`);
      return;
    }
    host.identifier = { kind, octets, statement };
  }

  #hostIdentifier(host: Host, statement: Statement): void {
    const kind = lookUp(HOST_IDENTIFIERS, statement.tokens[2]?.text ?? '');
    const octets = readData(statement.tokens.slice(3));
    if (wordAt(statement, 1) === 'option' && kind !== undefined && octets !== undefined) {
      this.#identify(host, kind, octets, statement);
      return;
    }
    const advice = 'Reserve the address by hardware address, client identifier, circuit id or remote id.';
    this.#report.notCarried(statement, 'a client cannot be known by this here', advice);
  }

  #fixedAddress(host: Host, statement: Statement): void {
    const names: string[] = [];
    for (const token of statement.tokens.slice(1)) {
      if (isMark(token, ',')) continue;
      const address = readIp4(token.text);
      if (address === undefined) names.push(token.text);
      else host.addresses.push({ address: ip4(address), statement });
    }
    if (names.length === 0) return;
    const advice = 'Reserve the address that the name stands for: `twinlease reservation add`.';
    this.#report.notCarried(statement, `${names.join(', ')}: names are not looked up in DNS`, advice);
  }

  #class(statement: Statement, place: Place): void {
    const name = nameAt(statement, 1) ?? '';
    const isSub = wordAt(statement, 0) === 'subclass';
    const over = isSub
      ? this.declared.classes.find((one) => one.name === name && one.level.parent?.kind !== 'class')
      : undefined;
    if (isSub && over === undefined) {
      this.#report.wholeNotCarried(statement, `there is no class "${name}" before it`);
      return;
    }
    const level = newLevel('class', over?.level ?? place.level, statement, name);
    const found: ClassDeclaration = { level, statement, name, test: undefined, matched: undefined };
    if (over !== undefined) found.test = this.#subclassTest(statement, over);
    this.declared.classes.push(found);
    this.all(statement.block ?? [], { level, ofClass: found });
  }

  #subclassTest(statement: Statement, over: ClassDeclaration): ClassTest | undefined {
    const data = readData(statement.tokens.slice(2));
    return data === undefined || over.matched === undefined ? undefined : testOf(over.matched, data);
  }

  #match(ofClass: ClassDeclaration, statement: Statement): void {
    const isIf = wordAt(statement, 1) === 'if';
    if (isIf) ofClass.test = readTest(statement.tokens.slice(2));
    else ofClass.matched = readMatched(statement.tokens.slice(1));
    if ((isIf ? ofClass.test : ofClass.matched) === undefined) {
      const advice = 'Set the values by vendor class (option 60) or user class (option 77).';
      this.#report.notCarried(statement, 'clients cannot be told apart by this here', advice);
      return;
    }
    if (ofClass.test !== undefined && ofClass.test.difference !== null)
      this.#report.changed(statement, ofClass.test.difference);
    else this.#report.carried(statement, isIf ? 'told apart so here too' : 'its subclasses are told apart by it');
  }

  #failover(statement: Statement, place: Place): void {
    const name = nameAt(statement, 2) ?? '';
    if (statement.block !== undefined) {
      this.declared.peers.push({ statement, name });
      return;
    }
    if (!['pool', 'subnet', 'shared-network'].includes(place.level.kind)) {
      this.#report.notCarried(statement, 'names no addresses');
      return;
    }
    place.level.peer = { name, statement };
  }

  #permit(statement: Statement, place: Place): void {
    const what = wordAt(statement, 1);
    const isOfPool = place.pool !== undefined && place.level.kind === 'pool';
    if (isOfPool && what !== 'booting' && what !== 'bootp') {
      place.pool.permits.push(statement);
      return;
    }
    if (what === 'bootp') {
      this.#mapped(statement, place);
      return;
    }
    reportParameter(this.#report, statement);
  }

  #authoritative(statement: Statement, place: Place): void {
    const isNot = wordAt(statement, 0) === 'not';
    if (isNot && wordAt(statement, 1) !== 'authoritative') {
      this.#report.notCarried(statement, 'is no statement that is known here');
      return;
    }
    const text = String(!isNot);
    this.#set(place, {
      kind: 'setting',
      statement,
      key: parameterKey('authoritative'),
      how: 'set',
      octets: NONE,
      text,
    });
  }

  #mapped(statement: Statement, place: Place): void {
    const { name, value } = parameterOf(statement);
    this.#set(place, parameterSetting(statement, name, value));
  }

  #other(statement: Statement, place: Place): void {
    const word = wordAt(statement, 0);
    const { host, ofClass } = place;
    if (host !== undefined && word === 'hardware') {
      this.#hardware(host, statement);
      return;
    }
    if (host !== undefined && word === 'fixed-address') {
      this.#fixedAddress(host, statement);
      return;
    }
    if (host !== undefined && word === 'host-identifier') {
      this.#hostIdentifier(host, statement);
      return;
    }
    if (ofClass !== undefined && word === 'match') {
      this.#match(ofClass, statement);
      return;
    }
    if (MAPPED_PARAMETERS.has(word) && statement.tokens.length >= 2) {
      this.#mapped(statement, place);
      return;
    }
    reportParameter(this.#report, statement);
  }

  /** `if`, `elsif` and `else` in a row. */
  #choice(arms: readonly Statement[], place: Place): void {
    const tests = arms.map((arm) => {
      const skipped = CONDITION_STARTS.findIndex((words) => words.every((word, i) => wordAt(arm, i) === word));
      return readTest(arm.tokens.slice(CONDITION_STARTS[skipped]?.length ?? 1));
    });
    const isElse = (arm: Statement | undefined): boolean =>
      arm !== undefined && arm.tokens.length === 1 && wordAt(arm, 0) === 'else';
    const last = arms.at(-1);
    const conditional = isElse(last) ? arms.slice(0, -1) : arms;
    if (place.ofClass !== undefined || conditional.length === 0 || conditional.some((_, i) => tests[i] === undefined)) {
      for (const arm of arms) this.#report.wholeNotCarried(arm, NO_CONDITION, CONDITION_ADVICE);
      return;
    }
    const branches: Branch[] = conditional.map((statement, i) => ({
      kind: 'branch',
      statement,
      test: tests[i]!,
      settings: this.#settingsOf(statement),
    }));
    if (isElse(last) && last !== undefined) this.#otherwise(last, branches, place);
    // Where a client is of two classes the first arm holds, and of equal values of a level the last one wins.
    for (const branch of branches.reverse()) {
      const { difference, vendorClass, userClass } = branch.test;
      const whose = vendorClass !== undefined ? `vendor class "${vendorClass}"` : `user class "${userClass}"`;
      if (difference === null) this.#report.carried(branch.statement, `values for the ${whose}`);
      else this.#report.changed(branch.statement, `values for the ${whose}; ${difference}`);
      place.level.items.push(branch);
      this.declared.settings.push(...branch.settings);
    }
  }

  /** What holds for everybody else is the plain value, over which a class's own value goes. */
  #otherwise(statement: Statement, branches: readonly Branch[], place: Place): void {
    this.#report.carried(statement, 'values for all other clients');
    for (const setting of this.#settingsOf(statement)) {
      this.#set(place, setting);
      if (branches.every((branch) => branch.settings.some((other) => other.key === setting.key))) continue;
      this.#report.changed(
        setting.statement,
        'clients that another arm is for, and that sets no such value, get it too',
      );
    }
  }

  /** The options and boot parameters of an arm; nothing else can hold for some clients only. */
  #settingsOf(arm: Statement): Setting[] {
    const settings: Setting[] = [];
    for (const statement of arm.block ?? []) {
      const word = wordAt(statement, 0);
      if (OPTION_WORDS.has(word)) {
        const setting = this.#options.read(statement);
        if (setting !== undefined) settings.push(setting);
      } else if (BRANCH_PARAMETERS.has(word)) {
        const { name, value } = parameterOf(statement);
        settings.push(parameterSetting(statement, name, value));
      } else {
        this.#report.wholeNotCarried(statement, 'only options can hold for some clients of a network');
      }
    }
    return settings;
  }
}

function parameterSetting(statement: Statement, name: string, value: string): Setting {
  return {
    kind: 'setting',
    statement,
    key: parameterKey(name),
    how: 'set',
    octets: Uint8Array.from(latin1(value)),
    text: value,
  };
}

/** The arms of a choice that begins here; none where none does. */
function armsFrom(statements: readonly Statement[], at: number): readonly Statement[] {
  const arms: Statement[] = [];
  for (let i = at; i < statements.length; i++) {
    const word = wordAt(statements[i]!, 0);
    const isArm = i === at ? word === 'if' : word === 'elsif' || word === 'else';
    if (!isArm) break;
    arms.push(statements[i]!);
  }
  return arms;
}

function isClientIdentifier(statement: Statement, index: number): boolean {
  return CLIENT_IDENTIFIERS.has(statement.tokens[index]?.text ?? '') && statement.tokens.length > 2;
}

const NONE = new Uint8Array(0);
const CLIENT_IDENTIFIERS: ReadonlySet<string> = new Set(['dhcp-client-identifier', 'dhcp.dhcp-client-identifier']);
const OPTION_WORDS: ReadonlySet<string> = new Set(['option', 'supersede', 'default', 'append', 'prepend']);
const BRANCH_PARAMETERS: ReadonlySet<string> = new Set([
  'filename',
  'next-server',
  'server-name',
  'vendor-option-space',
]);
const CONDITION_STARTS: readonly (readonly string[])[] = [['else', 'if'], ['if'], ['elsif']];
const NO_CONDITION = 'the condition is neither on the vendor class nor on the user class';
const CONDITION_ADVICE = 'Set the values by vendor class or user class: `twinlease option set --vendor-class`.';
/** RFC 1700, "Hardware types". */
const HARDWARE_TYPES: Readonly<Record<string, number>> = { ethernet: 1, 'token-ring': 6, fddi: 8, infiniband: 32 };
const HARDWARE_OCTETS_MAX = 16;
const IDENTIFIER_OCTETS_MAX = 253;
const HOST_IDENTIFIERS: Readonly<Record<string, 'client-id' | 'circuit-id' | 'remote-id'>> = {
  'dhcp-client-identifier': 'client-id',
  'agent.circuit-id': 'circuit-id',
  'agent.remote-id': 'remote-id',
};
