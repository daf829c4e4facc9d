/**
 * Problems of two servers that change together: pairing, changes in doubt, configuration that went apart. Part of the
 * catalogue (`catalogue.ts`).
 */
import type { ProblemEntry } from './problem.ts';

/** A broken rule of the configuration; the rules themselves and their words are in `core/config`. */
function rule(windows: NonNullable<ProblemEntry['windows']>): ProblemEntry {
  return {
    severity: 'error',
    text: '{path} {what}. {fix}',
    why: 'The configuration that is in force stays so until one is given that can be served without contradiction.',
    action: 'Correct it as the text says.',
    windows,
    http: windows.number === 87 ? 400 : 409,
  };
}

export const CHANGE_PROBLEMS = {
  'change/in-doubt': {
    severity: 'warning',
    text: 'Change {id} of failover relationship {name} was prepared for partner {partner}, which has not said how it ended.',
    why: 'This server goes on with the old configuration and holds the relationship locked until it knows.',
    action:
      'It is settled by itself when the partner is back. If it is gone for good: `twinlease pair end-change --id {id} --outcome commit|abort`.',
  },
  'change/not-confirmed': {
    severity: 'warning',
    text: 'Change {id} of failover relationship {name} is in force here; partner {partner} has not confirmed it yet.',
    why: 'The partner has promised the change and makes it as soon as it hears from this server.',
    action:
      'It is settled by itself when the partner is back. If it is gone for good: `twinlease pair end-change --id {id} --outcome commit`.',
  },
  'change/ended-differently': {
    severity: 'error',
    text: 'Change {id} of failover relationship {name} ended as {here} here and as {there} on partner {partner}.',
    why: 'An operator ended it by hand on one side, or one side was put back from an old copy. The two configurations differ.',
    action:
      'Compare with `twinlease config diff`, correct one side, then `twinlease pair end-change --id {id} --outcome {here}`.',
  },
  'change/unknown': {
    severity: 'error',
    text: 'There is no open change {id} on DHCP server {server}.',
    why: 'It was settled in the meantime, or its id is misspelt.',
    action: 'List the open changes with `twinlease pair changes`.',
    http: 404,
  },
  'change/too-large': {
    severity: 'error',
    text: 'The change has {bytes} bytes; {max} are allowed in one.',
    why: 'Both servers must make it durable as a whole.',
    action: 'Share the scopes in several calls.',
    http: 413,
  },
  'change/too-many': {
    severity: 'error',
    text: 'DHCP server {server} has {count} open changes with partners, the most there can be.',
    why: 'Each keeps a lock until it is settled.',
    action: 'Settle the open ones first: `twinlease pair changes`.',
    http: 409,
  },
  'config/apart': {
    severity: 'warning',
    text: 'The scopes of failover relationship {name} were changed on both servers apart ({differences} differences).',
    why: 'Nothing is overwritten until someone decides, so the two servers answer clients differently.',
    action:
      'See `twinlease config diff`, then run `twinlease failover replicate` on the server whose configuration is right.',
  },
  'config/not-taken': {
    severity: 'warning',
    text: 'Partner {partner} does not take the configuration of failover relationship {name}: {why}.',
    why: 'The change is in force here only, so the two servers answer clients differently.',
    action: 'Remove what stands in the way on the partner, or change it back here.',
  },
  'config/invalid': rule({ family: 'WIN32', number: 87, symbol: 'ERROR_INVALID_PARAMETER' }),
  'config/scope-unknown': rule({ family: 'DHCP', number: 20005, symbol: 'ERROR_DHCP_SUBNET_NOT_PRESENT' }),
  'config/reserved-twice': rule({ family: 'DHCP', number: 20022, symbol: 'ERROR_DHCP_RESERVEDIP_EXISTS' }),
  'config/invalid-range': rule({ family: 'DHCP', number: 20023, symbol: 'ERROR_DHCP_INVALID_RANGE' }),
  'config/scope-exists': rule({ family: 'DHCP', number: 20052, symbol: 'ERROR_DHCP_SUBNET_EXISTS' }),
  'config/scope-shared': rule({ family: 'DHCP', number: 20113, symbol: 'ERROR_DHCP_FO_SCOPE_ALREADY_IN_RELATIONSHIP' }),
  'config/name-taken': rule({ family: 'DHCP', number: 20114, symbol: 'ERROR_DHCP_FO_RELATIONSHIP_EXISTS' }),
  'config/name-too-long': rule({ family: 'DHCP', number: 20125, symbol: 'ERROR_DHCP_FO_RELATIONSHIP_NAME_TOO_LONG' }),
  'config/too-many-relationships': rule({ family: 'DHCP', number: 20128, symbol: 'ERROR_DHCP_FO_MAX_RELATIONSHIPS' }),
  'config/bootp-scope': rule({ family: 'DHCP', number: 20131, symbol: 'ERROR_DHCP_FO_BOOT_NOT_SUPPORTED' }),
  'config/stale': {
    severity: 'error',
    text: 'The configuration was made from revision {base}, but revision {present} is in force.',
    why: 'Applying it would silently undo what was changed in between.',
    action: 'Export the configuration again (`twinlease config show`), make the change in it and apply that.',
    http: 409,
  },
  'config/unknown-revision': {
    severity: 'error',
    text: 'There is no revision {number} of the configuration on DHCP server {server}.',
    why: 'It was never made, or is older than what is kept.',
    action: 'List the revisions with `twinlease config history`.',
    http: 404,
  },
  'config/needs-prune': {
    severity: 'error',
    text: 'The configuration lacks {object}, which is there now.',
    why: 'Relationships and reservations go only when that is clearly meant, never because a file was incomplete.',
    action: 'Add it to the file, or apply with prune.',
    http: 409,
  },
  'config/relationship-fixed': {
    severity: 'error',
    text: 'A configuration file cannot {verb} failover relationship {name}.',
    why: 'A relationship is made, changed and removed on both servers together, which a file on one of them cannot do.',
    action: 'Use `twinlease failover add`, `set` and `remove`.',
    http: 409,
  },
  'config/no-undo': {
    severity: 'error',
    text: 'Revision {number} cannot be brought back: {why}.',
    why: 'What two servers did together is not undone by one of them.',
    action: 'Make the opposite change with the operation that made it.',
    http: 409,
  },
  'pair/unknown-partner': {
    severity: 'error',
    text: 'DHCP server {server} has no partner {partner}.',
    why: 'The two servers were never introduced, or the pairing was removed.',
    action: 'List the partners with `twinlease pair list`.',
    http: 404,
  },
  'pair/partner-in-use': {
    severity: 'error',
    text: 'Partner {partner} cannot be removed: failover relationship {name} is shared with it.',
    why: 'Without the pairing the two servers could not talk any more.',
    action: 'Remove the relationship first.',
    http: 409,
  },
  'pair/code-malformed': {
    severity: 'error',
    text: 'This is not a one-time code.',
    why: 'A part of it is missing or was changed when it was copied.',
    action: 'Copy the whole code that `twinlease pair invite` shows on the other server.',
  },
  'pair/own-code': {
    severity: 'error',
    text: 'The one-time code was made by a server with the same identity as this one.',
    why: 'Either it was entered on the server that made it, or the two machines are copies of each other, and nobody could tell them apart.',
    action:
      'Enter it on the other server. On a cloned machine, delete the identity directory, start the server, and repeat.',
    http: 409,
  },
  'pair/unreachable': {
    severity: 'error',
    text: 'The inviting server {host}, port {port}, cannot be reached: {why}.',
    why: 'The two servers must talk to each other to be introduced.',
    action: 'Check the name, the network and the firewall for the TCP port, then enter the code again.',
    http: 503,
  },
  'pair/refused': {
    severity: 'error',
    text: 'The server at {host}, port {port}, does not accept the one-time code.',
    why: 'A code is good once, for ten minutes and five tries; and another server than the inviting one may answer there.',
    action: 'Make a new code with `twinlease pair invite` on the other server.',
    http: 409,
  },
  'pair/not-introduced': {
    severity: 'warning',
    text: 'A server at {peer} that was never introduced to this one tried to manage it.',
    why: 'It was refused. It may be a partner whose identity was made anew.',
    action: 'If it is one of yours, introduce the two with `twinlease pair rejoin`.',
    http: 403,
  },
  'pair/no-invitation': {
    severity: 'error',
    text: 'There is no open invitation.',
    why: 'A code is good once, for ten minutes and five tries.',
    action: 'Make a new code with `twinlease pair invite`.',
    http: 409,
  },
  'pair/wrong-code': {
    severity: 'warning',
    text: 'A server at {peer} tried a wrong one-time code; {triesLeft} tries are left.',
    why: 'Somebody mistyped it, or somebody guesses.',
    action: 'Enter the code as it was shown. If it was not you, let it end and look who is at this address.',
    http: 403,
  },
  'failover/removed-alone': {
    severity: 'warning',
    text: 'Failover relationship {name} was removed on DHCP server {server} only; partner {partner} was not reached ({why}).',
    why: 'The partner may still serve its part of the addresses. They stay untouched here until it has heard of the removal, and one MCLT more.',
    action:
      'Nothing, if the partner is gone for good or comes back by itself: it is told then, and disables the scopes there.',
  },
  'failover/removed-undrained': {
    severity: 'warning',
    text: 'The last leases of partner {partner} in failover relationship {name} did not reach DHCP server {server}: {why}.',
    why: 'Its part of the addresses stays untouched here until such leases must have ended.',
    action: 'Nothing.',
  },
  'failover/removed-unfetched': {
    severity: 'warning',
    text: 'Scopes {scopes} of failover relationship {name} are disabled on DHCP server {server}: {why}.',
    why: 'Enabled at once, they would give addresses to new clients that others still use.',
    action:
      'If {partner} comes back, enable them there: it has the leases. If it is gone for good, enable them here (`twinlease scope set SCOPE --state Active`) {when}.',
  },
  'pair/removed-by-partner': {
    severity: 'warning',
    text: 'Partner {partner} removed failover relationship {name} by force; its scopes are disabled here.',
    why: 'The partner took over the addresses, so serving them here as well would hand them out twice.',
    action: 'Remove the scopes here, or share them again with `twinlease failover add` on the partner.',
  },
  'partner/unknown-problem': {
    severity: 'error',
    text: 'The partner reports {code} {detail}.',
    why: 'It runs another version, whose problem this one cannot explain.',
    action: 'Look the code up in the manual of the partner’s version.',
  },
  'partner/bad-answer': {
    severity: 'error',
    text: 'Partner {partner} gave an answer to {method} that cannot be understood: {why}.',
    why: 'The partner runs another version, or its answer was damaged.',
    action: 'Run the same version on both servers.',
    http: 502,
  },
  'partner/setting-differs': {
    severity: 'warning',
    text: 'Setting {setting} differs: {here} here, {there} on partner {partner}.',
    why: 'Clients of shared scopes are treated differently by the two servers.',
    action: 'Align it with `twinlease pair align`.',
  },
} as const satisfies Readonly<Record<string, ProblemEntry>>;
