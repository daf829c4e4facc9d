/** Relationships as people read them: as objects of Windows's class, and as a picture of how they stand. */
import { durationText } from './spelling.ts';
import { listLines, shown } from './table.ts';
import { cellText, instantText, isShape, type Shape, shapeLines, type View } from './views.ts';

const BAR_WIDTH = 32;

/** One block of lines for each relationship, as PowerShell's list. */
export const FAILOVER_VIEW: View = (value) => blocks(value, shapeLines);

/** State here, state of the partner, link, balance, what is waited for and what is in doubt. */
export const STATUS_VIEW: View = (value) => blocks(value, statusLines);

function blocks(value: unknown, linesOf: (shape: Shape) => readonly string[]): readonly string[] {
  const relationships = (Array.isArray(value) ? value : [value]).filter(isShape);
  if (relationships.length === 0) return ['There is no failover relationship.'];
  return relationships.flatMap((one, index) => (index === 0 ? linesOf(one) : ['', ...linesOf(one)]));
}

function statusLines(status: Shape): readonly string[] {
  const role = status['serverType'] === 'PrimaryServer' ? 'primary' : 'secondary';
  const title = `${text(status, 'name')}: ${text(status, 'mode')} with ${text(status, 'partnerServer')}; this server is the ${role}`;
  const entries: (readonly [string, string])[] = [
    ['  here', since(status, 'state', 'stateSince')],
    ['  partner', since(status, 'partnerState', 'partnerStateSince')],
    ['  link', linkText(status)],
    ['  free', balanceText(status)],
    ...waits(status).map((line, index) => [index === 0 ? '  waits' : '', line] as const),
    ...doubts(status).map((line, index) => [index === 0 ? '  doubts' : '', line] as const),
  ];
  return [shown(title), ...listLines(entries)];
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
  return when === '' || name === 'NoState' ? (name === 'NoState' ? 'not known yet' : name) : `${name} since ${when}`;
}

function linkText(status: Shape): string {
  const skewSec = number(status, 'clockSkew');
  const waiting = number(status, 'updatesWaiting');
  const link =
    status['isCommunicating'] === true
      ? 'communicating'
      : status['isConnected'] === true
        ? 'connected, not communicating yet'
        : 'DOWN';
  const clocks = skewSec === 0 ? '' : `, clocks ${durationText(Math.abs(skewSec))} apart`;
  const updates = waiting === 0 ? ', no updates waiting' : `, ${waiting} updates waiting for the partner`;
  return `${link}${clocks}${updates}`;
}

function balanceText(status: Shape): string {
  const [here, there] = [number(status, 'freeHere'), number(status, 'freeAtPartner')];
  const mine = here + there === 0 ? 0 : Math.round((here / (here + there)) * BAR_WIDTH);
  const bar = `${'#'.repeat(mine)}${'-'.repeat(BAR_WIDTH - mine)}`;
  return `${here} here [${bar}] ${there} at the partner; ${number(status, 'inUse')} in use`;
}

function waits(status: Shape): readonly string[] {
  const lines: string[] = [];
  const recover = instantText(status['recoverWaitUntil']);
  if (recover !== '') lines.push(`until ${recover} before it serves, so that no promise of its lost past is broken`);
  const silent = texts(status, 'silentScopes');
  if (silent.length > 0) lines.push(`${silent.join(', ')}: leases still come from the partner, served there meanwhile`);
  const automatic = instantText(status['autoPartnerDownAt']);
  if (automatic !== '') lines.push(`takes the partner for down at ${automatic}`);
  const down = status['state'] === 'PartnerDown' ? instantText(status['partnerDownSince']) : '';
  if (down !== '')
    lines.push(`the partner counts as down since ${down}; its addresses are used once its leases have ended`);
  return lines;
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
  if (reject !== '') lines.push(`the partner refused the last update of ${reject}`);
  return lines;
}
