/** The manual's page of conditions, made from the catalogue; `npm run docs` writes it, and a test compares it. */
import { PROBLEMS, WINDOWS_WITHOUT_CAUSE } from '../../src/core/problems/catalogue.ts';
import type { ProblemEntry } from '../../src/core/problems/problem.ts';

export function errorsPage(): string {
  const entries: [string, ProblemEntry][] = Object.entries(PROBLEMS);
  const withNumber = entries.filter(([, entry]) => entry.windows !== undefined);
  const lines = [
    '# Conditions and error codes',
    '',
    'Made from the catalogue in `src/core/problems` by `npm run docs`; do not edit. Log lines, REST problems and the command line all come',
    'from these entries.',
    '',
    "## Windows's codes",
    '',
    '`messageId` of a REST problem, and what PowerShell shows, is `DHCP n` or `WIN32 n`.',
    '',
    '| code | symbol | condition here |',
    '|---|---|---|',
    ...withNumber
      .sort(([, a], [, b]) => (a.windows?.number ?? 0) - (b.windows?.number ?? 0))
      .map(([code, { windows }]) => `| ${windows?.family} ${windows?.number} | ${windows?.symbol} | \`${code}\` |`),
    '',
    '### Codes without a cause here',
    '',
    '| code | symbol | why |',
    '|---|---|---|',
    ...WINDOWS_WITHOUT_CAUSE.map(({ number, symbol, reason }) => `| DHCP ${number} | ${symbol} | ${cell(reason)} |`),
    '',
    '## All conditions',
    '',
  ];
  for (const [code, entry] of entries.sort(([a], [b]) => (a < b ? -1 : 1))) {
    const status = entry.http === undefined ? '' : `, HTTP ${entry.http}`;
    lines.push(
      `### ${code}`,
      '',
      `${entry.severity}${status}: ${entry.text}`,
      '',
      `*Why it matters.* ${entry.why}`,
      '',
      `*What to do.* ${entry.action}`,
      '',
    );
  }
  return `${lines.join('\n').trimEnd()}\n`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
