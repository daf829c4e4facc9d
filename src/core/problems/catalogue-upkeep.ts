/** Conditions of backups and of a change of this server's key. Part of the catalogue (`catalogue.ts`). */
import type { ProblemEntry } from './problem.ts';

export const UPKEEP_PROBLEMS = {
  'backup/bad-place': {
    severity: 'error',
    text: 'A backup cannot be made in {path}: {why}.',
    why: 'A backup never overwrites anything, and never lies among the files that it copies.',
    action: 'Name a directory that does not exist yet, or an empty one.',
    http: 409,
  },
  'backup/failed': {
    severity: 'error',
    text: 'The backup in {path} could not be made: {why}.',
    why: 'What had been copied was removed again. The server itself is not touched by this.',
    action: 'Free space or choose another place, then repeat it.',
    http: 500,
  },
  'backup/busy': {
    severity: 'error',
    text: 'A backup is under way.',
    why: 'Files of the store stay in their place while they are copied, so one backup is made at a time.',
    action: 'Wait for it to end.',
    http: 409,
  },
  'backup/without-identity': {
    severity: 'info',
    text: 'The backup in {path} holds neither the key of this server nor its secrets and tokens.',
    why: 'Whoever has the key can pass for this server, so it is copied only when that is asked for.',
    action:
      'Nothing, while the identity directory is kept elsewhere. Else add --include-identity, and guard the backup like the server.',
  },
  'pair/rotate-busy': {
    severity: 'error',
    text: 'The key of {server} cannot change now: change {id} of failover relationship {name} has not ended on both servers.',
    why: 'An open change names its servers by their keys.',
    action: 'Wait for it to end, or end it as `twinlease pair changes` shows; then repeat this.',
    http: 409,
  },
  'pair/rotate-unreachable': {
    severity: 'error',
    text: 'The key of {server} was not changed: partner {partner} could not be told ({why}).',
    why: 'A partner that does not know the new key would not let this server in any more.',
    action:
      'Repeat it when the partner is back. If it is gone for good, use --force; a partner that comes back after that must be introduced anew with `twinlease pair rejoin` there.',
    http: 503,
  },
  'pair/rotated-without': {
    severity: 'warning',
    text: 'Partner {partner} does not know the new key of {server} ({why}).',
    why: 'It does not let this server in any more, so the two do not talk until they are introduced anew.',
    action:
      'Run `twinlease pair invite` here, and `twinlease pair rejoin --partner NAME --code CODE --server HOST` on {partner}.',
  },
  'pair/key-not-expected': {
    severity: 'error',
    text: 'DHCP server {server} cannot take a new key of partner {partner}: {why}.',
    why: 'Taking it could lock the partner out, or let another server in.',
    action:
      'Look at `twinlease pair list` on both servers; where they know each other no more, use `twinlease pair rejoin`.',
    http: 409,
  },
} as const satisfies Readonly<Record<string, ProblemEntry>>;
