/** Conditions of the shell and its doors: the REST door, the channel between partners, the clock, what turns callers away. */
import type { ProblemEntry } from './problem.ts';

export const SHELL_PROBLEMS = {
  'clock/doubtful': {
    severity: 'error',
    text: 'The clock of this machine cannot be trusted ({kind}, {bySec} s): nothing expires and no address changes hands.',
    why: 'Lease ends are absolute times. Under a wrong clock an address could be given away while its client still uses it.',
    action:
      'Set the clock (NTP). A partner that agrees with it settles the doubt; without one, `twinlease server trust-clock` does, once the clock is right.',
  },
  'config/edited-outside': {
    severity: 'warning',
    text: 'The file of configuration revision {number} is not the one that was put in force: it was changed from outside.',
    why: 'Files are not read to change a server: such an edit has no history, was not checked, and is not told to the partner.',
    action:
      'Look with `twinlease config diff`, undo with `twinlease config undo`, and make changes with `twinlease config apply`.',
  },
  'net/partner-refused': {
    severity: 'warning',
    text: 'A connection from {peer} to the partner door was turned away: {why}.',
    why: 'Only servers that were introduced to this one may talk to it.',
    action:
      'If {peer} is to be a partner, introduce it with `twinlease pair invite` here and `twinlease pair accept` there.',
  },
  'pair/host-missing': {
    severity: 'error',
    text: 'The code does not say where the other server is.',
    why: 'A code carries a secret and a key, but no address.',
    action: 'Name the inviting server: `twinlease pair accept CODE --server HOST[:PORT]`.',
  },
  'server/partner-call-failed': {
    severity: 'error',
    text: 'A call of the partner ({method}) failed here: {why}.',
    why: 'This is a fault in the program; the partner was told that its call failed.',
    action: 'Report it with the lines around this one.',
  },
  'server/partner-channel-garbled': {
    severity: 'warning',
    text: 'What {peer} sends on the management channel cannot be read: {why}.',
    why: 'The connection was closed, because nothing after a bad frame can be trusted.',
    action: 'Check that both servers run versions that work together.',
  },
  'server/starting': {
    severity: 'warning',
    text: 'This server is still starting.',
    why: 'Its store is being read.',
    action: 'Try again in a few seconds.',
    http: 503,
  },
  'rest/not-authenticated': {
    severity: 'error',
    text: 'The request carries no valid token.',
    why: 'Every request has to prove who makes it.',
    action:
      'Send `Authorization: Bearer TOKEN`; the token is in the file identity/rest-token, which only the service user can read.',
    http: 401,
  },
  'rest/body-too-large': {
    severity: 'error',
    text: 'The request body is larger than {bytesMax} bytes.',
    why: 'No operation needs more.',
    action: 'Split the request.',
    http: 413,
  },
  'rest/body-not-json': {
    severity: 'error',
    text: 'The request body cannot be read: {why}.',
    why: 'Parameters travel as one JSON object.',
    action: 'Send a JSON object, or no body at all.',
  },
  'rest/no-such-path': {
    severity: 'error',
    text: 'There is nothing at {path}.',
    why: 'Operations are at POST /api/v1/GROUP/NAME.',
    action: 'See GET /api/v1/openapi.json for all of them.',
    http: 404,
  },
} as const satisfies Readonly<Record<string, ProblemEntry>>;
