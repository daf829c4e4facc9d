/** What the demonstration shows: a picture of the pair made from plain data, redrawn in place on a terminal. */
import type { CrowdStats } from './crowd.ts';

export interface ServerView {
  readonly name: string;
  readonly isRunning: boolean;
  readonly state: string;
  readonly ackedHere: number;
  readonly acksPerSec: number;
  readonly freeHere: number;
  readonly inUse: number;
}

export interface PairView {
  readonly relationship: string;
  readonly elapsedSec: number;
  readonly isCut: boolean;
  readonly servers: readonly ServerView[];
  readonly crowd: CrowdStats;
  /** The last events, oldest first. */
  readonly events: readonly string[];
}

const BAR_WIDTH = 24;
const ESC = '\u001b[';

export function draw(view: PairView): string[] {
  const { crowd } = view;
  const [left, right] = view.servers;
  const lines = [
    `${bold('Twinlease')}  relationship ${view.relationship}, ${view.elapsedSec} s`,
    '',
    ...(left === undefined || right === undefined
      ? []
      : sideBySide(box(left), box(right), view.isCut ? '  ✂  ' : ' ⇄   ')),
    '',
    `Clients    ${crowd.bound} of ${crowd.clients} hold a lease   offers ${crowd.offers}   acks ${crowd.acks}   renewals ${crowd.renewals}   naks ${crowd.naks}`,
    `Noticed    ${noticed(crowd)}`,
    '',
    ...view.events.slice(-6).map((event) => dim(`  ${event}`)),
    '',
    `Keys  ${key('a')} kill/start alpha  ${key('b')} kill/start beta  ${key('c')} cut/heal the link  ${key('d')} partner-down`,
    `      ${key('n')} 50 new clients    ${key('r')} all renew        ${key('q')} quit`,
  ];
  return lines;
}

/** What the clients noticed, in one line: nothing, or what. */
export function noticed(crowd: CrowdStats): string {
  const found: string[] = [];
  if (crowd.duplicates > 0) found.push(`${crowd.duplicates} addresses given twice`);
  if (crowd.lost > 0) found.push(`${crowd.lost} leases lost`);
  if (crowd.moved > 0) found.push(`${crowd.moved} clients moved to another address`);
  if (crowd.waiting > 0) found.push(`${crowd.waiting} clients waiting`);
  const waited = `longest wait ${(crowd.longestWaitMs / 1000).toFixed(1)} s`;
  return found.length === 0 ? `nothing (${waited})` : `${found.join(', ')}; ${waited}`;
}

export class Screen {
  readonly #out: NodeJS.WriteStream;
  #height = 0;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
    out.write(`${ESC}?25l`);
  }

  show(lines: readonly string[]): void {
    const width = this.#out.columns || 100;
    const up = this.#height > 0 ? `${ESC}${this.#height}A` : '';
    this.#out.write(`${up}${lines.map((line) => `${ESC}2K${clip(line, width)}`).join('\n')}\n`);
    this.#height = lines.length;
  }

  close(): void {
    this.#out.write(`${ESC}?25h`);
  }
}

function box(server: ServerView): string[] {
  const total = server.freeHere + server.inUse;
  const filled = total === 0 ? 0 : Math.round((server.inUse / total) * BAR_WIDTH);
  const mark = server.isRunning ? (server.state === 'Normal' ? green('●') : yellow('●')) : red('✗');
  return [
    `┌─ ${mark} ${bold(server.name.padEnd(8))} ${'─'.repeat(23)}┐`,
    row(`state   ${server.isRunning ? server.state : 'not running'}`),
    row(`answers ${server.ackedHere} (${server.acksPerSec.toFixed(0)}/s)`),
    row(`leases  ${'█'.repeat(filled)}${'░'.repeat(BAR_WIDTH - filled)}`),
    row(`        ${server.inUse} in use, ${server.freeHere} free here`),
    `└${'─'.repeat(36)}┘`,
  ];
}

function row(text: string): string {
  return `│ ${text.padEnd(34).slice(0, 34)} │`;
}

function sideBySide(left: readonly string[], right: readonly string[], between: string): string[] {
  return left.map((line, at) => `${line}${at === 2 ? between : '     '}${right[at] ?? ''}`);
}

/** Cuts to the width of the terminal; escape sequences take no room. */
function clip(line: string, width: number): string {
  let seen = 0;
  let out = '';
  for (let i = 0; i < line.length; i++) {
    if (line[i] === '\u001b') {
      const end = line.indexOf('m', i);
      out += line.slice(i, end + 1);
      i = end;
    } else if (seen < width) {
      out += line[i];
      seen++;
    }
  }
  return out;
}

const style = (code: number) => (text: string) => `${ESC}${code}m${text}${ESC}0m`;
const bold = style(1);
const dim = style(2);
const red = style(31);
const green = style(32);
const yellow = style(33);
const key = (name: string) => `${ESC}7m ${name} ${ESC}0m`;
