/**
 * The elements of an export as a tree. What is inside a list of leases is left out: it can be long, and it has a reader of its own.
 */
import { type Fate, Fates, reportLine } from '../fates.ts';
import type { ReportLine } from '../plan.ts';
import { readXml, type XmlBad } from '../xml-reader.ts';

export interface Element {
  readonly name: string;
  /** Lower case: names of elements are looked up so, because their case is not the same in all versions. */
  readonly key: string;
  readonly line: number;
  readonly children: readonly Element[];
  /** Its own text, without space around it. */
  readonly text: string;
}

export type TreeRead = { readonly kind: 'ok'; readonly root: Element } | XmlBad;

const ELEMENTS_MAX = 2 * 1024 * 1024;

interface Open {
  readonly name: string;
  readonly line: number;
  readonly children: Element[];
  text: string;
}

export function readTree(text: string): TreeRead {
  const read = readXml(text);
  if (read.kind === 'bad') return read;
  const stack: Open[] = [];
  let root: Element | undefined;
  let count = 0;
  /** Depth of elements inside a list of leases. */
  let skipped = 0;
  for (const event of read.events) {
    const inside = stack.at(-1);
    const isLeft = skipped > 0 || inside?.name.toLowerCase() === 'leases';
    if (event.kind === 'text') {
      if (!isLeft && inside !== undefined) inside.text += event.text;
    } else if (event.kind === 'open') {
      if (isLeft) skipped++;
      else stack.push({ name: event.name.local, line: event.line, children: [], text: '' });
      count++;
      if (count > ELEMENTS_MAX) return { kind: 'bad', why: 'the export has too many elements', line: event.line };
    } else if (skipped > 0) skipped--;
    else {
      const closed = stack.pop();
      if (closed === undefined) continue;
      const { name, line, children } = closed;
      const element: Element = { name, key: name.toLowerCase(), line, children, text: closed.text.trim() };
      const outer = stack.at(-1);
      if (outer === undefined) root = element;
      else outer.children.push(element);
    }
  }
  return root === undefined ? { kind: 'bad', why: 'the file is empty', line: 1 } : { kind: 'ok', root };
}

export function child(element: Element | undefined, name: string): Element | undefined {
  const key = name.toLowerCase();
  return element?.children.find((one) => one.key === key);
}

/** The children of the list `name` inside `element`. */
export function listIn(element: Element | undefined, name: string): readonly Element[] {
  return child(element, name)?.children ?? [];
}

/** Undefined for an element that is missing or empty. */
export function textOf(element: Element | undefined, name: string): string | undefined {
  const text = child(element, name)?.text;
  return text === '' ? undefined : text;
}

const SECRET = /password|secret/i;
const NOT_LOOKED_AT: Fate = { carried: 'not-carried', outcome: 'has no equivalent', advice: null };

export class WindowsReport extends Fates<Element> {
  /** Elements whose line speaks for everything inside them. */
  readonly #wholes = new Set<Element>();

  /** The element, and everything inside it that has no fate of its own. */
  whole(element: Element | undefined, fate: Fate): void {
    if (element === undefined) return;
    this.note(element, fate.carried, fate.outcome, fate.advice);
    const outcome =
      fate.carried === 'not-carried' ? `${element.name} of line ${element.line} is not carried over` : fate.outcome;
    for (const inner of element.children)
      if (!this.has(inner)) this.whole(inner, { carried: fate.carried, outcome, advice: null });
  }

  wholeNotCarried(element: Element | undefined, outcome: string, advice: string | null = null): void {
    this.whole(element, { carried: 'not-carried', outcome, advice });
  }

  /** One line for the element; what is inside has none. */
  asOne(element: Element, outcome: string): void {
    this.notCarried(element, outcome);
    this.#wholes.add(element);
  }

  lines(root: Element, file: string): ReportLine[] {
    const lines: ReportLine[] = [];
    const add = (element: Element): void => {
      lines.push(reportLine({ file, line: element.line }, statementOf(element), this.of(element) ?? NOT_LOOKED_AT));
      if (!this.#wholes.has(element)) for (const inner of element.children) add(inner);
    };
    add(root);
    return lines;
  }
}

function statementOf(element: Element): string {
  if (element.children.length > 0) return `<${element.name}>`;
  const text = SECRET.test(element.name) && element.text !== '' ? '...' : element.text;
  return text === '' ? `<${element.name} />` : `<${element.name}>${text}</${element.name}>`;
}
