/**
 * Problems of the host: store, network, clock, and the process itself. Part of the catalogue (`catalogue.ts`).
 */
import type { ProblemEntry } from './problem.ts';

export const HOST_PROBLEMS = {
  'store/write-failed': {
    severity: 'error',
    text: 'The store cannot be written: {why}. The server ends.',
    why: 'A server that cannot keep its promises must not make any. The partner takes over at once.',
    action: 'Free space or repair the disk, then start the server; it recovers by itself.',
  },
  'store/torn-tail': {
    severity: 'info',
    text: '{bytes} bytes of an unfinished write were cut from the end of the binding log.',
    why: 'The server was stopped in the middle of a write. Nothing of it was promised to anyone.',
    action: 'Nothing.',
  },
  'store/damaged': {
    severity: 'error',
    text: 'The store in {path} is damaged: {why}.',
    why: 'Serving from it could hand out addresses that are in use.',
    action:
      'Move the directory away and start: in a relationship everything comes back from the partner. Else restore a backup.',
  },
  'store/unknown-version': {
    severity: 'error',
    text: 'The store in {path} was written by a newer version ({version}).',
    why: 'What is not understood must not be guessed.',
    action: 'Run the newer version, or restore a backup of this one.',
  },
  'store/locked': {
    severity: 'error',
    text: 'The store in {path} is used by another process.',
    why: 'Two servers in one store would overwrite each other.',
    action: 'Stop the other process.',
  },
  'store/new': {
    severity: 'info',
    text: 'A new store was made in {path}.',
    why: 'There was none, so this server knows of no leases. In a relationship it gets them from the partner.',
    action: 'Nothing, if this is a first start.',
  },
  'store/snapshot-failed': {
    severity: 'warning',
    text: 'A snapshot of the bindings could not be written: {why}.',
    why: 'Nothing is lost, but the log grows and the next start takes longer.',
    action: 'Free space on the disk; it is tried again by itself.',
  },
  'store/restored': {
    severity: 'warning',
    text: 'The state was put back from the backup of {madeAt}.',
    why: 'What happened since is missing here; in a relationship it comes from the partner before this server serves.',
    action: 'Nothing.',
  },
  'net/interface-down': {
    severity: 'warning',
    text: 'Interface {interface} is down.',
    why: 'Clients behind it are not served here; a partner answers them meanwhile.',
    action: 'Bring the interface back; it is followed by itself.',
  },
  'net/interface-up': {
    severity: 'info',
    text: 'Interface {interface} is up with {addresses}.',
    why: 'Clients behind it are served.',
    action: 'Nothing.',
  },
  'net/port-in-use': {
    severity: 'error',
    text: 'Port {port} on {address} is used by another process.',
    why: 'The server cannot listen there.',
    action: 'Stop the other DHCP server (`ss -ulpn`), or choose another port.',
  },
  'net/no-permission': {
    severity: 'error',
    text: 'Sockets for {what} need rights that this process lacks: {why}.',
    why: 'Without them only clients behind relays can be served.',
    action: 'Give the service CAP_NET_BIND_SERVICE and CAP_NET_RAW (see docs/production.md), or run in relay mode.',
  },
  'net/send-failed': {
    severity: 'warning',
    text: 'Replies on {interface} cannot be sent: {why}.',
    why: 'Clients there get no answer.',
    action: 'Look at the interface and the routes of the host.',
  },
  'net/no-scope': {
    severity: 'warning',
    text: 'Packets come from {network}, for which there is no scope.',
    why: 'Clients there get no address from this server.',
    action: 'Add a scope for the network, or remove the relay’s entry.',
  },
  'server/started': {
    severity: 'info',
    text: 'DHCP server {server} version {version} is up.',
    why: 'It serves clients as its relationships allow.',
    action: 'Nothing.',
  },
  'server/stopping': {
    severity: 'info',
    text: 'DHCP server {server} stops.',
    why: 'The partner takes over at once.',
    action: 'Nothing.',
  },
  'server/crash-loop': {
    severity: 'error',
    text: 'The server ended {count} times within ten minutes because of a fault in the program.',
    why: 'Its inputs are set aside one by one, but the fault goes on.',
    action: 'Report it with the log. The partner serves meanwhile.',
  },
  'server/internal': {
    severity: 'error',
    text: 'DHCP server {server} could not carry out the request because of a fault in the program.',
    why: 'What the request did is not known.',
    action: 'Look at the present state before repeating it, and report the fault with the log.',
    http: 500,
  },
  'server/fault': {
    severity: 'error',
    text: 'The server met a fault in the program: {what}.',
    why: 'It ended and was started again, and the input that caused it is set aside.',
    action: 'Report it with the log.',
  },
} as const satisfies Readonly<Record<string, ProblemEntry>>;
