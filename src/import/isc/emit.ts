/**
 * Values of one level of ours (the server, a scope, a reservation) from the settings of dhcpd's levels that it stands for, and what
 * became of each setting that took part.
 */
import type { OptionValue } from '../../core/config/model.ts';
import { toHex } from '../../wire/units.ts';
import type { ClassTest } from './conditions.ts';
import { BOOT_FILE, BOOT_SERVER, type Effective, optionsOf, parameter, type Settled, settle } from './effective.ts';
import type { Branch, Declared, Level, Setting } from './model.ts';
import type { Report } from './report.ts';

/** Made by the server, the client or the relay for each packet; dhcpd does not take them from the file either, but for 55 and 61. */
const NOT_SETTABLE: ReadonlySet<number> = new Set([50, 51, 52, 53, 54, 55, 56, 57, 61, 82, 118]);
const ADVICE_55 = 'Clients are sent what they ask for; there is nothing to be done.';

export interface Emission {
  readonly declared: Declared;
  readonly report: Report;
  /** From the outermost; what is before the inner ones has been said on a level of lower rank. */
  readonly chain: readonly Level[];
  /** The levels whose settings are to be said here. */
  readonly inner: ReadonlySet<Level>;
  /** As in `scope 10.0.0.0`. */
  readonly where: string;
}

/** Values for every client, then those for the classes of branches. */
export function emitOptions(emission: Emission): OptionValue[] {
  const plain = emitPlain(emission, settle(emission.chain));
  const conditional = emission.chain
    .filter((level) => emission.inner.has(level))
    .flatMap((level) => level.items.filter((item) => item.kind === 'branch'))
    .flatMap((branch) => emitBranch(emission, branch));
  return [...plain, ...withoutRepeats(conditional)];
}

function emitPlain(emission: Emission, settled: Settled): OptionValue[] {
  const settings = settingsOf(emission.inner);
  const values: OptionValue[] = [];
  for (const [code, value] of optionsOf(settled, emission.declared)) {
    if (!value.sources.some((source) => settings.has(source))) continue;
    if (isSettable(emission, code, value)) values.push({ code, hex: toHex(value.octets) });
  }
  noteUsed(emission, settled, settings);
  return values;
}

function emitBranch(emission: Emission, branch: Branch): OptionValue[] {
  const settings: ReadonlySet<Setting> = new Set(branch.settings);
  const settled = settle(emission.chain, branch);
  const values = conditionalValues(emission, settled, settings, branch.test);
  noteUsed(emission, settled, settings);
  return values;
}

/** The values in which a class's settings have a part. */
export function conditionalValues(
  emission: Emission,
  settled: Settled,
  settings: ReadonlySet<Setting>,
  test: ClassTest,
): OptionValue[] {
  const { vendorClass, userClass } = test;
  const values: OptionValue[] = [];
  for (const [code, value] of optionsOf(settled, emission.declared)) {
    if (!value.sources.some((source) => settings.has(source)) || !isSettable(emission, code, value)) continue;
    values.push({
      code,
      hex: toHex(value.octets),
      ...(vendorClass === undefined ? {} : { vendorClass }),
      ...(userClass === undefined ? {} : { userClass }),
    });
  }
  return values;
}

/** Of values for the same clients the last one holds, as it would in the reply. */
export function withoutRepeats(values: readonly OptionValue[]): OptionValue[] {
  const last = new Map<string, OptionValue>();
  for (const value of values) {
    const key = JSON.stringify([value.code, value.vendorClass ?? null, value.userClass ?? null]);
    last.delete(key);
    last.set(key, value);
  }
  return [...last.values()];
}

export function settingsOf(levels: ReadonlySet<Level>): ReadonlySet<Setting> {
  return new Set([...levels].flatMap((level) => level.items.filter((item) => item.kind === 'setting')));
}

const OPTION_OCTETS_MAX = 2048;

function isSettable(emission: Emission, code: number, value: Effective): boolean {
  if (!NOT_SETTABLE.has(code) && value.octets.length <= OPTION_OCTETS_MAX) return true;
  const why = NOT_SETTABLE.has(code)
    ? `option ${code} is made by the server, the client or the relay`
    : `the value is longer than ${OPTION_OCTETS_MAX} octets`;
  for (const { statement } of value.sources) emission.report.notCarried(statement, why, code === 55 ? ADVICE_55 : null);
  return false;
}

/** Says of each setting what it came to: a value of this level, or nothing because a later one took its place. */
export function noteUsed(emission: Emission, settled: Settled, settings: ReadonlySet<Setting>): void {
  const { report, where } = emission;
  const used = new Set<Setting>();
  for (const [code, value] of optionsOf(settled, emission.declared)) {
    for (const source of value.sources) {
      used.add(source);
      if (settings.has(source)) noteOption(emission, settled, code, source);
    }
  }
  for (const setting of settings) {
    if (used.has(setting) || report.has(setting.statement)) continue;
    const winner = settled.get(setting.key);
    const by = winner?.sources.at(-1);
    if (by !== undefined && by !== setting && setting.how === 'set')
      report.idle(setting.statement, `has no effect in ${where}, as in dhcpd: line ${by.statement.line} sets it again`);
  }
  noteBoot(emission, settled, settings);
}

function noteOption({ report, where }: Emission, settled: Settled, code: number, { statement, key }: Setting): void {
  if (key === '=filename') {
    if (parameter(settled, 'next-server') !== undefined)
      report.carried(statement, `option 67 of ${where}, also put into the file field`);
    else
      report.changed(statement, `option 67 of ${where}, also put into the file field; the boot server is this server`);
  } else if (key === '=next-server') {
    report.carried(statement, `option 66 of ${where}, also put into siaddr and sname`);
  } else if (key === '=server-name') {
    report.carried(statement, `option 66 of ${where}, also put into sname`);
  } else report.carried(statement, `option ${code} of ${where}`);
}

/** Parameters that lost against an option of the same purpose. */
function noteBoot({ report, where }: Emission, settled: Settled, settings: ReadonlySet<Setting>): void {
  const lost = (name: string, code: number): void => {
    const source = parameter(settled, name)?.sources.at(-1);
    if (source === undefined || !settings.has(source) || report.has(source.statement)) return;
    const same = settled.get(`dhcp:${code}`)?.octets;
    if (same !== undefined && toHex(same) === toHex(source.octets))
      report.carried(source.statement, `option ${code} of ${where}`);
    else
      report.notCarried(
        source.statement,
        `${where} has option ${code} with another value, which is also what goes into the field`,
        'See which of the two the clients need, and set it: `twinlease option set`.',
      );
  };
  lost('next-server', BOOT_SERVER);
  lost('server-name', BOOT_SERVER);
  lost('filename', BOOT_FILE);
}
