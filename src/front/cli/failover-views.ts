/** Relationships as people read them: as objects of Windows's class, and as a picture of how they stand. */
import { durationText } from './spelling.ts';
import { listLines, shown } from './table.ts';
import { cellText, instantText, isShape, type Shape, shapeLines, type View } from './views.ts';

const BAR_WIDTH = 32;
/** Text is broken at this width, or at the terminal's where that is narrower. */
const TEXT_WIDTH = 100;
const TEXT_WIDTH_MIN = 40;
const INDENT = '  ';

/** One block of lines for each relationship, as PowerShell's list. */
export const FAILOVER_VIEW: View = (value) => blocks(value, shapeLines);

/** What it all means in words; then state here, state of the partner, link, balance, and what is in doubt. */
export const STATUS_VIEW: View = (value, context) =>
  blocks(value, (status) => statusLines(status, Math.min(context.width ?? TEXT_WIDTH, TEXT_WIDTH)));

function blocks(value: unknown, linesOf: (shape: Shape) => readonly string[]): readonly string[] {
  const relationships = (Array.isArray(value) ? value : [value]).filter(isShape);
  if (relationships.length === 0) return ['There is no failover relationship.'];
  return relationships.flatMap((one, index) => (index === 0 ? linesOf(one) : ['', ...linesOf(one)]));
}

function statusLines(status: Shape, width: number): readonly string[] {
  const role = status['serverType'] === 'PrimaryServer' ? 'primary' : 'secondary';
  const title = `${text(status, 'name')}: ${text(status, 'mode')} with ${text(status, 'partnerServer')}; this server is the ${role}`;
  const entries: (readonly [string, string])[] = [
    ['  here', since(status, 'state', 'stateSince')],
    ['  partner', since(status, 'partnerState', 'partnerStateSince')],
    ['  link', linkText(status)],
    ['  updates', updatesText(status)],
    ['  free', balanceText(status)],
    ...doubts(status).map((line, index) => [index === 0 ? '  doubts' : '', line] as const),
  ];
  return [shown(title), ...paragraphs(status, width), ...listLines(entries)];
}

/** The words of the server, each kind on lines of its own. */
function paragraphs(status: Shape, width: number): readonly string[] {
  const story = ['meaning', 'partnerMeaning', 'answers'].map((property) => text(status, property));
  const parts = [
    story.filter((part) => part !== '').join(' '),
    ...texts(status, 'waits').map((line) => `Waits: ${line}.`),
    prefixed('Next: ', text(status, 'next')),
    prefixed('To do: ', text(status, 'toDo')),
  ];
  return parts.filter((part) => part !== '').flatMap((part) => wrapped(part, width));
}

function prefixed(prefix: string, said: string): string {
  return said === '' ? '' : prefix + said;
}

/** Broken between words; what follows the first line stands further in. */
function wrapped(paragraph: string, width: number): readonly string[] {
  const room = Math.max(width, TEXT_WIDTH_MIN) - INDENT.length;
  const lines: string[] = [];
  let line = '';
  for (const word of shown(paragraph).split(' ')) {
    if (line !== '' && line.length + 1 + word.length > room) {
      lines.push(INDENT + line);
      line = INDENT + word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, INDENT + line];
}

function text(status: Shape, property: string): string {
  return cellText(status[property], '');
}

function number(status: Shape, property: string): number {
  const value = status[property];
  return typeof value === 'number' ? value : 0;
}

function texts(status: Shape, property: string): readonly string[] {
  const value = status[property];
  return Array.isArray(value) ? value.map(String) : [];
}

function since(status: Shape, state: string, at: string): string {
  const when = instantText(status[at]);
  const name = text(status, state);
  // Paused and stopped have no name in Windows's class; the words above say which it is.
  if (name === 'NoState') return when === '' ? 'not known yet' : `out of service since ${when}`;
  return when === '' ? name : `${name} since ${when}`;
}

function linkText(status: Shape): string {
  const skewSec = number(status, 'clockSkew');
  const allowanceSec = number(status, 'clockAllowance');
  const link =
    status['isCommunicating'] === true
      ? 'communicating'
      : status['isConnected'] === true
        ? 'connected, not communicating yet'
        : 'DOWN';
  const clocks = skewSec === 0 ? 'clocks agree' : `clocks ${durationText(Math.abs(skewSec))} apart`;
  const allowed = allowanceSec === 0 ? '' : `, waits allow for ${durationText(allowanceSec)}`;
  return `${link}; ${clocks}${allowed}`;
}

/** What is on its way in either direction, and the last that was refused. */
function updatesText(status: Shape): string {
  const waiting = number(status, 'updatesWaiting');
  const unanswered = number(status, 'updatesUnanswered');
  const fetching = text(status, 'fetching').toLowerCase();
  const out =
    waiting === 0
      ? 'the partner knows every lease'
      : `${waiting} for the partner${unanswered === 0 ? '' : `, in ${unanswered} messages under way`}`;
  const asked = status['partnerFetching'] === true ? ', which is fetching leases' : '';
  const back = fetching === '' ? '' : `; ${fetching} from the partner under way`;
  return `${out}${asked}${back}`;
}

function balanceText(status: Shape): string {
  const [here, there] = [number(status, 'freeHere'), number(status, 'freeAtPartner')];
  const mine = here + there === 0 ? 0 : Math.round((here / (here + there)) * BAR_WIDTH);
  const bar = `${'#'.repeat(mine)}${'-'.repeat(BAR_WIDTH - mine)}`;
  return `${here} here [${bar}] ${there} at the partner; ${number(status, 'inUse')} in use`;
}

function doubts(status: Shape): readonly string[] {
  const lines: string[] = [];
  const apart = texts(status, 'scopesApart');
  if (apart.length > 0) {
    lines.push(`${apart.join(', ')}: configured differently here and there; see \`twinlease config diff\``);
  }
  for (const change of texts(status, 'openChanges')) {
    lines.push(`change ${change}; see \`twinlease pair changes\``);
  }
  const reject = text(status, 'lastReject');
  const at = instantText(status['lastRejectAt']);
  if (reject !== '') lines.push(`the partner refused the last update of ${reject}${at === '' ? '' : ` (${at})`}`);
  return lines;
}
