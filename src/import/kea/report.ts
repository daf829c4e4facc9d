/** The report of a Kea configuration: one line for each member of each object and for each included file. */
import { type Fate, Fates, reportLine } from '../fates.ts';
import type { ReportLine } from '../plan.ts';
import type { Include, Json, Member } from './json.ts';

const SECRET = /password|secret|^key$/i;
const SHOWN_ITEMS_MAX = 4;
const NOT_LOOKED_AT: Fate = { carried: 'not-carried', outcome: 'has no equivalent', advice: null };

export class KeaReport extends Fates<Member> {
  /** The member with everything inside it that has no fate of its own. */
  whole(member: Member | undefined, fate: Fate): void {
    if (member === undefined) return;
    this.note(member, fate.carried, fate.outcome, fate.advice);
    const outcome =
      fate.carried === 'not-carried' ? `"${member.key}" of line ${member.line} is not carried over` : fate.outcome;
    for (const inner of membersIn(member.value))
      if (!this.has(inner)) this.whole(inner, { carried: fate.carried, outcome, advice: null });
  }

  wholeNotCarried(member: Member | undefined, outcome: string, advice: string | null = null): void {
    this.whole(member, { carried: 'not-carried', outcome, advice });
  }

  /** In the order of the files. */
  lines(root: Json, includes: readonly Include[]): ReportLine[] {
    const lines: ReportLine[] = includes.map((include) =>
      reportLine(include, `<?include "${include.path}"?>`, {
        carried: 'carried',
        outcome: 'read as a part of the configuration',
        advice: null,
      }),
    );
    const add = (value: Json): void => {
      for (const member of membersIn(value)) {
        lines.push(reportLine(member, statementOf(member), this.of(member) ?? NOT_LOOKED_AT));
        add(member.value);
      }
    };
    add(root);
    return lines;
  }
}

/** The members of an object, or of all objects in a list. */
export function membersIn(value: Json): readonly Member[] {
  if (value.kind === 'object') return value.members;
  return value.kind === 'array' ? value.items.flatMap(membersIn) : [];
}

function statementOf(member: Member): string {
  const value = SECRET.test(member.key) ? '"..."' : shown(member.value);
  return `"${member.key}": ${value}`;
}

function shown(value: Json): string {
  switch (value.kind) {
    case 'object':
      return value.members.length === 0 ? '{}' : '{ ... }';
    case 'array': {
      if (value.items.length === 0) return '[]';
      if (value.items.some((item) => item.kind === 'object' || item.kind === 'array')) return '[ ... ]';
      const some = value.items.slice(0, SHOWN_ITEMS_MAX).map(shown);
      return `[ ${[...some, ...(value.items.length > SHOWN_ITEMS_MAX ? ['...'] : [])].join(', ')} ]`;
    }
    case 'string':
      return JSON.stringify(value.text);
    case 'number':
      return value.text;
    case 'boolean':
      return String(value.value);
    case 'null':
      return 'null';
    default:
      return value satisfies never;
  }
}
