/** Exit codes of the command line, and the text of `twinlease help exit-codes`. */

export const EXIT = {
  ok: 0,
  refused: 1,
  usage: 2,
  unreachable: 3,
  partial: 4,
  notPermitted: 5,
} as const;

export const EXIT_CODES: readonly { readonly code: number; readonly meaning: string }[] = [
  { code: EXIT.ok, meaning: 'Done.' },
  { code: EXIT.refused, meaning: 'The server refused the operation, or it was not confirmed.' },
  { code: EXIT.usage, meaning: 'The command line is wrong; nothing was sent.' },
  { code: EXIT.unreachable, meaning: 'The server could not be reached, or its answer did not arrive.' },
  { code: EXIT.partial, meaning: 'Done for some items of a list and refused for others, which are named on stderr.' },
  { code: EXIT.notPermitted, meaning: 'The token is missing, unreadable or wrong, or does not allow the operation.' },
];

export function exitCodesText(): string {
  return `Exit codes:\n${EXIT_CODES.map(({ code, meaning }) => `  ${code}  ${meaning}\n`).join('')}`;
}

/** The exit code for a problem document of the REST door. */
export function exitCodeOf(status: number, code: string): number {
  // A partner that refuses us is a refusal; only our own server's door decides what this token may do.
  if (status === 401 || (status === 403 && !code.startsWith('partner/'))) return EXIT.notPermitted;
  return EXIT.refused;
}
