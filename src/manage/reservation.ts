/**
 * Reservations: PS_DhcpServerv4Reservation (management specification 2.1, 2.2). `ClientKey` is this product's own parameter, for
 * reservations by relay port.
 */
import { z } from 'zod';
import { reservationKeyText } from '../core/config/checks.ts';
import type { Reservation, Scope } from '../core/config/model.ts';
import type { Problem } from '../core/problems/problem.ts';
import type { Control } from '../server/control.ts';
import { parseIp4 } from '../wire/units.ts';
import { CLIENT_KEYS, clientText, readClient } from './client-text.ts';
import { defineOperation } from './define.ts';
import { changeLocally } from './local-change.ts';
import { failed, type OperationContext, type Outcome, succeeded, type WhatIfReport } from './operation.ts';
import * as params from './params.ts';
import { invalid, listed, problem } from './problems.ts';
import { choice, replaceScope } from './scope.ts';
import { readScopeIds } from './scope-list.ts';
import { scopeOf } from './shared-config.ts';

const reservationSchema = z.object({
  Name: z.string(),
  Description: z.string(),
  Type: z.enum(['Dhcp', 'Bootp', 'Both']),
  ClientId: z.string(),
  IPAddress: z.string(),
  ScopeId: z.string(),
  AddressState: z.enum(['ActiveReservation', 'InactiveReservation']),
});
type ReservationObject = z.infer<typeof reservationSchema>;

const clientKey = z
  .enum(CLIENT_KEYS)
  .nullish()
  .describe('What ClientId is: six octets are a hardware address when left out.');
const TYPES = ['Dhcp', 'Bootp', 'Both'] as const;

export const addReservation = defineOperation({
  name: 'reservation.add',
  windows: 'PS_DhcpServerv4Reservation.Add',
  summary: 'Keeps an address for one client.',
  examples: [
    'twinlease reservation add --scope-id 10.0.1.0 --ip-address 10.0.1.9 --client-id 00-15-5d-01-02-03 --name printer',
  ],
  params: z.strictObject({
    ...params.common,
    ScopeId: params.scopeId,
    IPAddress: params.address,
    ClientId: z.string().describe('Hardware address or client identifier in hexadecimal.'),
    ClientKey: clientKey,
    Name: params.optionalText,
    Description: params.optionalText,
    Type: params.optionalText.describe('Dhcp, Bootp or Both; Both.'),
    PassThru: params.passThru,
  }),
  result: reservationSchema.nullable(),
  changes: true,
  run: async (context, given) => {
    const { control } = context;
    const ids = readScopeIds([given.ScopeId]);
    if (ids.kind === 'bad') return failed(ids.problem);
    const scopeId = ids.scopeIds[0] ?? given.ScopeId;
    const client = readClient(given.ClientId, given.ClientKey ?? undefined);
    if (client === undefined) return failed(invalid('ClientId', 'it is not hexadecimal'));
    if (parseIp4(given.IPAddress) === undefined) return failed(invalid('IPAddress', 'it is not an address'));
    const type = choice(given.Type, TYPES);
    if (type === 'bad') return failed(invalid('Type', 'it is not Dhcp, Bootp or Both'));
    const reservation: Reservation = {
      address: given.IPAddress,
      client,
      name: given.Name ?? '',
      description: given.Description ?? '',
      type: type ?? 'Both',
      options: [],
    };
    const outcome = await changeLocally(context, `${given.IPAddress} reserved in scope ${scopeId}`, (config) => {
      const scope = scopeOf(config, scopeId);
      if (scope === undefined)
        return { kind: 'bad', problems: [problem(control, 'scope/unknown', { scopeId }, scopeId)] };
      const taken = takenBy(control, scope, reservation, undefined);
      if (taken !== undefined) return { kind: 'bad', problems: [taken] };
      return {
        kind: 'ok',
        config: replaceScope(config, { ...scope, reservations: [...scope.reservations, reservation] }),
      };
    });
    return answer(control, outcome, scopeId, given.IPAddress, given.PassThru === true);
  },
});

export const getReservationByScope = defineOperation({
  name: 'reservation.get-by-scope-id',
  windows: 'PS_DhcpServerv4Reservation.GetByScopeId',
  summary: 'Shows the reservations of a scope.',
  examples: ['twinlease reservation get --scope-id 10.0.1.0'],
  params: z.strictObject({ ...params.common, ScopeId: params.scopeId }),
  result: z.array(reservationSchema),
  changes: false,
  run: async ({ control }, given) => {
    const found = scopeNamed(control, given.ScopeId);
    if (found.kind === 'bad') return failed(found.problem);
    return succeeded(found.scope.reservations.map((one) => reservationObject(control, found.scope, one)));
  },
});

export const getReservationByAddress = defineOperation({
  name: 'reservation.get-by-ip-address',
  windows: 'PS_DhcpServerv4Reservation.GetByIPAddress',
  summary: 'Shows the reservations of these addresses.',
  examples: ['twinlease reservation get --ip-address 10.0.1.9'],
  params: z.strictObject({ ...params.common, IPAddress: params.texts }),
  result: z.array(reservationSchema),
  changes: false,
  run: async ({ control }, given) => {
    const { found, errors } = byAddresses(control, given.IPAddress);
    return listed(
      found.map(({ scope, reservation }) => reservationObject(control, scope, reservation)),
      errors,
    );
  },
});

export const getReservationByClient = defineOperation({
  name: 'reservation.get-by-client-id',
  windows: 'PS_DhcpServerv4Reservation.GetByClientId',
  summary: 'Shows the reservations of these clients in a scope.',
  examples: ['twinlease reservation get --scope-id 10.0.1.0 --client-id 00-15-5d-01-02-03'],
  params: z.strictObject({ ...params.common, ClientId: params.texts, ScopeId: params.scopeId }),
  result: z.array(reservationSchema),
  changes: false,
  run: async ({ control }, given) => {
    const found = scopeNamed(control, given.ScopeId);
    if (found.kind === 'bad') return failed(found.problem);
    const { reservations, errors } = byClients(control, found.scope, given.ClientId);
    return listed(
      reservations.map((one) => reservationObject(control, found.scope, one)),
      errors,
    );
  },
});

export const setReservation = defineOperation({
  name: 'reservation.set',
  windows: 'PS_DhcpServerv4Reservation.Set',
  summary: 'Changes a reservation.',
  examples: ['twinlease reservation set --ip-address 10.0.1.9 --name printer-2'],
  params: z.strictObject({
    ...params.common,
    IPAddress: params.address,
    ClientId: params.optionalText,
    ClientKey: clientKey,
    Name: params.optionalText,
    Description: params.optionalText,
    Type: params.optionalText,
    PassThru: params.passThru,
  }),
  result: reservationSchema.nullable(),
  changes: true,
  run: async (context, given) => {
    const { control } = context;
    const client = given.ClientId == null ? undefined : readClient(given.ClientId, given.ClientKey ?? undefined);
    if (given.ClientId != null && client === undefined) return failed(invalid('ClientId', 'it is not hexadecimal'));
    const type = choice(given.Type, TYPES);
    if (type === 'bad') return failed(invalid('Type', 'it is not Dhcp, Bootp or Both'));
    let scopeId = '';
    const outcome = await changeLocally(context, `reservation of ${given.IPAddress} changed`, (config) => {
      const place = config.scopes.find((scope) => scope.reservations.some((one) => one.address === given.IPAddress));
      const present = place?.reservations.find((one) => one.address === given.IPAddress);
      if (place === undefined || present === undefined)
        return { kind: 'bad', problems: [unknown(control, given.IPAddress)] };
      scopeId = place.scopeId;
      const changed: Reservation = {
        ...present,
        client: client ?? present.client,
        name: given.Name ?? present.name,
        description: given.Description ?? present.description,
        type: type ?? present.type,
      };
      const taken = takenBy(control, place, changed, present);
      if (taken !== undefined) return { kind: 'bad', problems: [taken] };
      const reservations = place.reservations.map((one) => (one === present ? changed : one));
      return { kind: 'ok', config: replaceScope(config, { ...place, reservations }) };
    });
    return answer(control, outcome, scopeId, given.IPAddress, given.PassThru === true);
  },
});

export const removeReservationByScope = defineOperation({
  name: 'reservation.remove-by-scope-id',
  windows: 'PS_DhcpServerv4Reservation.RemoveByScopeId',
  summary: 'Removes all reservations of a scope.',
  examples: ['twinlease reservation remove --scope-id 10.0.1.0'],
  params: z.strictObject({ ...params.common, PassThru: params.passThru, ScopeId: params.scopeId }),
  result: z.array(reservationSchema).nullable(),
  changes: true,
  run: async (context, given) => {
    const found = scopeNamed(context.control, given.ScopeId);
    if (found.kind === 'bad') return failed(found.problem);
    const all = found.scope.reservations.map((reservation) => ({ scope: found.scope, reservation }));
    return await remove(context, all, [], given.PassThru === true);
  },
});

export const removeReservationByAddress = defineOperation({
  name: 'reservation.remove-by-ip-address',
  windows: 'PS_DhcpServerv4Reservation.RemoveByIPAddress',
  summary: 'Removes the reservations of these addresses.',
  examples: ['twinlease reservation remove --ip-address 10.0.1.9'],
  params: z.strictObject({ ...params.common, IPAddress: params.texts, PassThru: params.passThru }),
  result: z.array(reservationSchema).nullable(),
  changes: true,
  run: async (context, given) => {
    const { found, errors } = byAddresses(context.control, given.IPAddress);
    return await remove(context, found, errors, given.PassThru === true);
  },
});

export const removeReservationByClient = defineOperation({
  name: 'reservation.remove-by-client-id',
  windows: 'PS_DhcpServerv4Reservation.RemoveByClientId',
  summary: 'Removes the reservations of these clients in a scope.',
  examples: ['twinlease reservation remove --scope-id 10.0.1.0 --client-id 00-15-5d-01-02-03'],
  params: z.strictObject({
    ...params.common,
    ScopeId: params.scopeId,
    ClientId: params.texts,
    PassThru: params.passThru,
  }),
  result: z.array(reservationSchema).nullable(),
  changes: true,
  run: async (context, given) => {
    const place = scopeNamed(context.control, given.ScopeId);
    if (place.kind === 'bad') return failed(place.problem);
    const { reservations, errors } = byClients(context.control, place.scope, given.ClientId);
    const found = reservations.map((reservation) => ({ scope: place.scope, reservation }));
    return await remove(context, found, errors, given.PassThru === true);
  },
});

interface Found {
  readonly scope: Scope;
  readonly reservation: Reservation;
}

async function remove(
  context: OperationContext,
  found: readonly Found[],
  errors: readonly Problem[],
  passThru: boolean,
): Promise<Outcome<ReservationObject[] | null | WhatIfReport>> {
  const { control } = context;
  if (found.length === 0 && errors.length > 0) return failed(...errors);
  const gone = found.map(({ scope, reservation }) => reservationObject(control, scope, reservation));
  const addresses = new Set(found.map(({ reservation }) => reservation.address));
  const outcome = await changeLocally(context, `reservations of ${[...addresses].join(', ')} removed`, (config) => ({
    kind: 'ok',
    config: {
      ...config,
      scopes: config.scopes.map((scope) =>
        scope.reservations.some((one) => addresses.has(one.address))
          ? { ...scope, reservations: scope.reservations.filter((one) => !addresses.has(one.address)) }
          : scope,
      ),
    },
  }));
  if (outcome.kind === 'failed') return outcome;
  if (outcome.kind === 'what-if') return succeeded({ whatIf: outcome.lines }, [], errors);
  return succeeded(passThru ? gone : null, [], errors);
}

/** 20022: neither an address nor a client has two reservations in a scope. */
function takenBy(
  control: Control,
  scope: Scope,
  wanted: Reservation,
  except: Reservation | undefined,
): Problem | undefined {
  const key = reservationKeyText(wanted.client);
  const other = scope.reservations.find(
    (one) => one !== except && (one.address === wanted.address || reservationKeyText(one.client) === key),
  );
  if (other === undefined) return undefined;
  const slots = { address: wanted.address, client: clientText(wanted.client.hex), scopeId: scope.scopeId };
  return problem(control, 'reservation/exists', slots, wanted.address);
}

function byAddresses(control: Control, addresses: readonly string[]): { found: Found[]; errors: Problem[] } {
  const { config } = control.revision();
  const found: Found[] = [];
  const errors: Problem[] = [];
  if (addresses.length === 0) errors.push(invalid('IPAddress', 'no address is given'));
  for (const address of new Set(addresses)) {
    const scope = config.scopes.find((one) => one.reservations.some((reservation) => reservation.address === address));
    const reservation = scope?.reservations.find((one) => one.address === address);
    if (scope === undefined || reservation === undefined) errors.push(unknown(control, address));
    else found.push({ scope, reservation });
  }
  return { found, errors };
}

function byClients(
  control: Control,
  scope: Scope,
  clients: readonly string[],
): { reservations: Reservation[]; errors: Problem[] } {
  const reservations: Reservation[] = [];
  const errors: Problem[] = [];
  if (clients.length === 0) errors.push(invalid('ClientId', 'no client is given'));
  for (const text of new Set(clients)) {
    const hex = readClient(text)?.hex;
    const reservation = scope.reservations.find((one) => one.client.hex === hex);
    if (reservation === undefined) errors.push(unknown(control, text));
    else reservations.push(reservation);
  }
  return { reservations, errors };
}

type NamedScope = { readonly kind: 'ok'; readonly scope: Scope } | { readonly kind: 'bad'; readonly problem: Problem };

export function scopeNamed(control: Control, text: string): NamedScope {
  const ids = readScopeIds([text]);
  if (ids.kind === 'bad') return ids;
  const scopeId = ids.scopeIds[0] ?? text;
  const scope = scopeOf(control.revision().config, scopeId);
  if (scope !== undefined) return { kind: 'ok', scope };
  return { kind: 'bad', problem: problem(control, 'scope/unknown', { scopeId }, scopeId) };
}

function unknown(control: Control, object: string): Problem {
  return problem(control, 'reservation/unknown', { object }, object);
}

function answer(
  control: Control,
  outcome: Awaited<ReturnType<typeof changeLocally>>,
  scopeId: string,
  address: string,
  passThru: boolean,
): Outcome<ReservationObject | null | WhatIfReport> {
  if (outcome.kind === 'failed') return outcome;
  if (outcome.kind === 'what-if') return succeeded({ whatIf: outcome.lines });
  const scope = scopeOf(outcome.config, scopeId);
  const reservation = scope?.reservations.find((one) => one.address === address);
  if (!passThru || scope === undefined || reservation === undefined) return succeeded(null);
  return succeeded(reservationObject(control, scope, reservation));
}

function reservationObject(control: Control, scope: Scope, reservation: Reservation): ReservationObject {
  const address = parseIp4(reservation.address);
  const binding = address === undefined ? undefined : control.bindings.find(address);
  return {
    Name: reservation.name,
    Description: reservation.description,
    Type: reservation.type,
    ClientId: clientText(reservation.client.hex),
    IPAddress: reservation.address,
    ScopeId: scope.scopeId,
    AddressState: binding?.state === 'active' ? 'ActiveReservation' : 'InactiveReservation',
  };
}
