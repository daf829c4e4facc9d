/** What a dhcpd.conf declares, before it is mapped to scopes: levels of settings inside one another, and what hangs on them. */
import type { Ip4 } from '../../wire/units.ts';
import type { ClassTest, Matched } from './conditions.ts';
import type { OptionSpace } from './option-types.ts';
import type { Statement } from './statements.ts';

/** One option or parameter with its value. */
export interface Setting {
  readonly kind: 'setting';
  readonly statement: Statement;
  /** `SPACE:CODE` of an option, `=NAME` of a parameter. */
  readonly key: string;
  readonly how: 'set' | 'default' | 'append' | 'prepend';
  readonly octets: Uint8Array;
  /** The value of a parameter as a word. */
  readonly text: string;
}

/** Settings for the clients of one class only. */
export interface Branch {
  readonly kind: 'branch';
  readonly statement: Statement;
  readonly test: ClassTest;
  readonly settings: readonly Setting[];
}

export interface Level {
  readonly kind: 'global' | 'shared-network' | 'subnet' | 'pool' | 'group' | 'class' | 'host';
  readonly parent: Level | undefined;
  /** Undefined for the file as a whole. */
  readonly statement: Statement | undefined;
  readonly name: string;
  readonly items: (Setting | Branch)[];
  /** `failover peer "NAME";`, which holds for everything inside. */
  peer: { readonly name: string; readonly statement: Statement } | undefined;
}

export interface Span {
  readonly first: number;
  readonly last: number;
}

export interface RangeDeclaration extends Span {
  readonly statement: Statement;
  readonly isBootp: boolean;
}

/** A `pool`, or the addresses that a subnet has without one. */
export interface Pool {
  readonly level: Level;
  readonly ranges: RangeDeclaration[];
  /** `allow` and `deny` statements that let only some clients have its addresses. */
  readonly permits: Statement[];
}

export interface Subnet {
  readonly level: Level;
  readonly statement: Statement;
  readonly network: Ip4;
  readonly mask: Ip4;
  /** First and last address. */
  readonly span: Span;
}

export interface Host {
  readonly level: Level;
  readonly statement: Statement;
  readonly name: string;
  hardware: { readonly htype: number; readonly octets: Uint8Array; readonly statement: Statement } | undefined;
  identifier:
    | {
        readonly kind: 'client-id' | 'circuit-id' | 'remote-id';
        readonly octets: Uint8Array;
        readonly statement: Statement;
      }
    | undefined;
  readonly addresses: { readonly address: Ip4; readonly statement: Statement }[];
}

export interface ClassDeclaration {
  readonly level: Level;
  readonly statement: Statement;
  readonly name: string;
  test: ClassTest | undefined;
  /** For whom subclasses are compared. */
  matched: Matched | undefined;
}

export interface PeerDeclaration {
  readonly statement: Statement;
  readonly name: string;
}

/** Everything that the statements say. */
export interface Declared {
  readonly global: Level;
  readonly spaces: ReadonlyMap<string, OptionSpace>;
  readonly definitions: { readonly name: string; readonly statement: Statement; readonly space: string }[];
  readonly settings: Setting[];
  readonly subnets: Subnet[];
  readonly pools: Pool[];
  readonly hosts: Host[];
  readonly classes: ClassDeclaration[];
  readonly peers: PeerDeclaration[];
}

export function parameterKey(name: string): string {
  return `=${name}`;
}

/** From the outermost to the level itself. */
export function chainOf(level: Level): readonly Level[] {
  const chain: Level[] = [];
  for (let at: Level | undefined = level; at !== undefined; at = at.parent) chain.unshift(at);
  return chain;
}
