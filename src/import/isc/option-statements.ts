/** The `option` statements: spaces, definitions, values. */
import { ok, type Read } from '../../wire/units.ts';
import { lookUp } from '../look-up.ts';
import type { Declared, Setting } from './model.ts';
import { DHCP_SPACE, definitionType, type KnownOption, type OptionSpace, readType } from './option-types.ts';
import { constantData, numberIn, readOptionValue } from './option-values.ts';
import type { Report } from './report.ts';
import { isMark, nameAt, type Statement, wordAt } from './statements.ts';

/** Number of an option that a server may set. */
const CODE_MAX = 254;

export class OptionReader {
  readonly #spaces: Map<string, OptionSpace>;
  readonly #definitions: Declared['definitions'];
  readonly #report: Report;

  constructor(spaces: Map<string, OptionSpace>, definitions: Declared['definitions'], report: Report) {
    this.#spaces = spaces;
    this.#definitions = definitions;
    this.#report = report;
  }

  /** The value that the statement sets; undefined for a definition, and for what is reported as not carried over. */
  read(statement: Statement): Setting | undefined {
    const isOption = wordAt(statement, 0) === 'option';
    if (isOption && wordAt(statement, 1) === 'space' && statement.tokens[2]?.kind === 'word') {
      this.#space(statement);
      return undefined;
    }
    if (isOption && wordAt(statement, 2) === 'code') {
      this.#definition(statement);
      return undefined;
    }
    return this.#value(statement, isOption);
  }

  #value(statement: Statement, isOption: boolean): Setting | undefined {
    const { tokens } = statement;
    // `supersede option NAME` and `supersede NAME` are the same.
    const at = !isOption && wordAt(statement, 1) === 'option' ? 2 : 1;
    const name = nameAt(statement, at) ?? '';
    const found = this.#find(name);
    if (found === undefined) {
      const advice = 'Define the option (`option NAME code N = TYPE`) before its value, and import again.';
      this.#report.notCarried(statement, `there is no option ${name}`, advice);
      return undefined;
    }
    const [space, option] = found;
    const value = this.#octets(option, statement, at + 1);
    if (value.kind === 'bad') {
      this.#report.notCarried(statement, value.why, 'Set the value here: `twinlease option set`.');
      return undefined;
    }
    return {
      kind: 'setting',
      statement,
      key: `${space}:${option.code}`,
      how: isOption ? 'set' : (lookUp(HOW, tokens[0]?.text.toLowerCase() ?? '') ?? 'set'),
      octets: value.value,
      text: '',
    };
  }

  #octets(option: KnownOption, { tokens }: Statement, at: number): Read<Uint8Array> {
    if (!isMark(tokens[at], '=')) return readOptionValue(option.type, tokens.slice(at));
    const expression = tokens.slice(at + 1);
    const data = constantData(expression);
    if (data !== undefined) return ok(data);
    const plain = readOptionValue(option.type, expression);
    return plain.kind === 'ok' ? plain : { ...plain, why: 'the value is computed for each client' };
  }

  #find(name: string): readonly [string, KnownOption] | undefined {
    const dot = name.indexOf('.');
    const [space, inner] = dot < 0 ? [DHCP_SPACE, name] : [name.slice(0, dot), name.slice(dot + 1)];
    const known = this.#spaces.get(space)?.options.get(inner.toLowerCase());
    if (known !== undefined) return [space, known];
    // dhcp-options(5): any number may be set as `option unknown-N`, in octets.
    const code = numberIn(/^unknown-(\d{1,3})$/.exec(inner)?.[1] ?? '');
    if (code === undefined || code < 1 || code > CODE_MAX || !this.#spaces.has(space)) return undefined;
    return [space, { code, type: { fields: ['data'], repeats: 'nothing' } }];
  }

  #space(statement: Statement): void {
    const name = nameAt(statement, 2) ?? '';
    const width = (word: string): number | undefined => {
      const at = statement.tokens.findIndex(
        (token, i) => token.text === word && statement.tokens[i + 1]?.text === 'width',
      );
      return at < 0 ? 1 : numberIn(statement.tokens[at + 2]?.text ?? '');
    };
    const [codeBytes, lengthBytes] = [width('code'), width('length')];
    if (this.#spaces.has(name) || !isWidth(codeBytes) || !isWidth(lengthBytes)) {
      this.#report.notCarried(statement, 'is no space of options that can be made here');
      return;
    }
    this.#spaces.set(name, { name, codeBytes, lengthBytes, options: new Map() });
    this.#report.changed(
      statement,
      'there are no spaces; its values are sent as the octets of the option that holds them',
    );
  }

  #definition(statement: Statement): void {
    const name = nameAt(statement, 1) ?? '';
    const dot = name.indexOf('.');
    const [spaceName, inner] = dot < 0 ? [DHCP_SPACE, name] : [name.slice(0, dot), name.slice(dot + 1)];
    const space = this.#spaces.get(spaceName);
    const code = numberIn(statement.tokens[3]?.text ?? '');
    const type = isMark(statement.tokens[4], '=') ? readType(statement.tokens.slice(5)) : undefined;
    const codeMax = spaceName === DHCP_SPACE ? CODE_MAX : 256 ** (space?.codeBytes ?? 1) - 1;
    if (space === undefined || code === undefined || code < 1 || code > codeMax || type === undefined) {
      const what =
        space === undefined ? `there is no option space ${spaceName}` : 'is no definition that is known here';
      this.#report.notCarried(statement, what, 'Define the option here: `twinlease option-definition add`.');
      return;
    }
    space.options.set(inner.toLowerCase(), { code, type });
    this.#definitions.push({ name: inner, statement, space: spaceName });
    if (spaceName !== DHCP_SPACE) {
      this.#report.changed(statement, 'its values are sent as octets of the option that holds them');
      return;
    }
    const { difference } = definitionType(type);
    const outcome = `option ${code} is defined as ${inner}`;
    if (difference === null) this.#report.carried(statement, outcome);
    else this.#report.changed(statement, `${outcome}, ${difference}`);
  }
}

function isWidth(width: number | undefined): width is number {
  return width === 1 || width === 2 || width === 4;
}

const HOW: Readonly<Record<string, Setting['how']>> = {
  supersede: 'set',
  default: 'default',
  append: 'append',
  prepend: 'prepend',
};
