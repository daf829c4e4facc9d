/**
 * Two servers that know each other (design, part 5 "Trust"), and what they have begun together: introductions, partners, open
 * changes, and settings that differ.
 */
import { z } from 'zod';
import { diffConfig } from '../core/config/diff.ts';
import type { Config, Partner, ServerSettings } from '../core/config/model.ts';
import type { Problem } from '../core/problems/problem.ts';
import type { Control } from '../server/control.ts';
import { changesOf } from './changes.ts';
import { defineOperation } from './define.ts';
import { declarationObstacle, isDeclared, KIND_NAMES, readDeclaration } from './foreign-partner.ts';
import { changeLocally } from './local-change.ts';
import { failed, succeeded } from './operation.ts';
import * as params from './params.ts';
import { callPartner, partnerByKey, sayHello } from './partner-client.ts';
import { invalid, problem } from './problems.ts';

const partnerSchema = z.object({
  Name: z.string(),
  Host: z.string(),
  Port: z.int(),
  Key: z.string(),
  Kind: z.string().describe('twinlease, or the make of a server that was declared: isc, windows or draft.'),
});

function partnerObject(partner: Partner): z.infer<typeof partnerSchema> {
  return { Name: partner.name, Host: partner.host, Port: partner.port, Key: partner.key, Kind: kindName(partner) };
}

function kindName(partner: Partner): string {
  return isDeclared(partner) ? KIND_NAMES[partner.foreign.kind] : 'twinlease';
}

export const invite = defineOperation({
  name: 'pair.invite',
  summary: 'Makes a one-time code with which another server can be introduced to this one.',
  examples: ['twinlease pair invite'],
  params: z.strictObject(params.common),
  result: z.object({ Code: z.string(), ExpiresAt: z.int() }),
  changes: true,
  run: async ({ control, whatIf }) => {
    if (whatIf) return succeeded({ whatIf: ['Makes a one-time code that is good for ten minutes.'] });
    const { code, expiresAt } = control.invite();
    return succeeded({ Code: code, ExpiresAt: expiresAt });
  },
});

export const accept = defineOperation({
  name: 'pair.accept',
  summary: 'Introduces this server to the one that made the code.',
  examples: ['twinlease pair accept CODE --server dhcp1.example.com'],
  params: z.strictObject({
    ...params.common,
    Code: params.text,
    Server: params.optionalText.describe(
      'Host name or address of the inviting server, with :port where it is not 647.',
    ),
  }),
  result: partnerSchema,
  changes: true,
  run: async ({ control, whatIf }, given) => {
    if (whatIf) return succeeded({ whatIf: ['Exchanges names and keys with the inviting server.'] });
    const answer = await control.acceptInvitation(given.Code.trim(), given.Server ?? undefined);
    return answer.kind === 'failed' ? failed(answer.problem) : succeeded(partnerObject(answer.partner));
  },
});

export const declare = defineOperation({
  name: 'pair.declare',
  summary:
    'Makes a server of another make known, with which scopes can then be shared: ISC dhcpd, Windows, or any by the draft.',
  examples: [
    'twinlease pair declare --kind isc --name dhcp2 --host 10.0.0.2',
    'twinlease pair declare --kind isc --name dhcp2 --host 10.0.0.2 --port 847 --local-address 10.0.0.1',
  ],
  params: z.strictObject({
    ...params.common,
    Kind: params.text.describe('isc (ISC dhcpd 4.x), windows, or draft (as the failover draft says).'),
    Name: params.text.describe('Name by which it is called here.'),
    Host: params.address.describe('IPv4 address that it calls from and is called at.'),
    Port: z.int().nullish().describe('Its failover port; 647.'),
    LocalAddress: params.optionalText.describe('Address that this server calls it from; by the route when left out.'),
  }),
  result: partnerSchema,
  changes: true,
  run: async (context, given) => {
    const { control } = context;
    const read = readDeclaration(control, {
      kind: given.Kind,
      name: given.Name,
      host: given.Host,
      port: given.Port,
      localAddress: given.LocalAddress,
    });
    if (read.kind === 'bad') return failed(read.problem);
    const { partner } = read;
    const outcome = await changeLocally(context, `partner ${partner.name} declared`, (config) => {
      const obstacle = declarationObstacle(control, config, partner);
      if (obstacle !== undefined) return { kind: 'bad', problems: [obstacle] };
      return { kind: 'ok', config: { ...config, partners: [...config.partners, partner] } };
    });
    if (outcome.kind === 'failed') return outcome;
    return succeeded(outcome.kind === 'what-if' ? { whatIf: outcome.lines } : partnerObject(partner));
  },
});

export const listPartners = defineOperation({
  name: 'pair.list',
  summary: 'Shows the servers that were introduced or declared to this one, and whether they answer.',
  examples: ['twinlease pair list'],
  params: z.strictObject(params.common),
  result: z.array(
    partnerSchema.extend({ Answers: z.boolean(), Version: z.string().nullable(), Relationships: z.array(z.string()) }),
  ),
  changes: false,
  run: async ({ control }) => {
    const { config } = control.revision();
    const shown = await Promise.all(
      config.partners.map(async (partner) => {
        const shared = config.relationships.filter((one) => one.partnerKey === partner.key).map((one) => one.name);
        if (isDeclared(partner)) {
          const answers = shared.some((name) => control.endpointStatus(name)?.isCommunicating === true);
          return { ...partnerObject(partner), Answers: answers, Version: null, Relationships: shared };
        }
        const hello = await sayHello(control, partner);
        return {
          ...partnerObject(partner),
          Answers: hello.kind === 'ok',
          Version: hello.kind === 'ok' ? hello.value.version : null,
          Relationships: shared,
        };
      }),
    );
    return succeeded(shown);
  },
});

export const removePartner = defineOperation({
  name: 'pair.remove',
  summary: 'Forgets a partner with which nothing is shared any more.',
  examples: ['twinlease pair remove --partner dhcp2'],
  params: z.strictObject({ ...params.common, Partner: params.text.describe('Name, host or key of the partner.') }),
  result: partnerSchema,
  changes: true,
  run: async (context, given) => {
    const { control } = context;
    const partner = partnerNamed(control, given.Partner);
    if (partner === undefined) return failed(unknownPartner(control, given.Partner));
    const outcome = await changeLocally(context, `partner ${partner.name} removed`, (config) => {
      const shared = config.relationships.find((one) => one.partnerKey === partner.key);
      if (shared !== undefined) {
        const slots = { partner: partner.name, name: shared.name };
        return { kind: 'bad', problems: [problem(control, 'pair/partner-in-use', slots, partner.name)] };
      }
      return { kind: 'ok', config: { ...config, partners: config.partners.filter((one) => one.key !== partner.key) } };
    });
    if (outcome.kind === 'failed') return outcome;
    return succeeded(outcome.kind === 'what-if' ? { whatIf: outcome.lines } : partnerObject(partner));
  },
});

export const listChanges = defineOperation({
  name: 'pair.changes',
  summary: 'Shows changes on two servers that have not ended on both.',
  examples: ['twinlease pair changes'],
  params: z.strictObject(params.common),
  result: z.array(
    z.object({
      Id: z.string(),
      Relationship: z.string(),
      Partner: z.string(),
      Side: z.enum(['coordinator', 'participant']),
      Standing: z.enum(['under-way', 'in-doubt', 'unconfirmed', 'ended-by-hand']),
      StartedAt: z.int(),
    }),
  ),
  changes: false,
  run: async ({ control }) =>
    succeeded(
      changesOf(control)
        .open()
        .map((open) => ({
          Id: open.id,
          Relationship: open.relationship,
          Partner: partnerByKey(control, open.partnerKey)?.name ?? open.partnerKey,
          Side: open.side,
          Standing: open.standing,
          StartedAt: open.startedAt,
        })),
    ),
});

export const endChange = defineOperation({
  name: 'pair.end-change',
  summary: 'Ends a change by hand whose other server is gone for good.',
  examples: ['twinlease pair end-change --id ID --outcome commit'],
  params: z.strictObject({
    ...params.common,
    Id: params.text,
    Outcome: params.text.describe(
      'commit: it holds here. abort: it never was. One that is in force already can only be kept.',
    ),
    Force: params.force,
  }),
  result: z.null(),
  changes: true,
  confirm: () =>
    'If the other server comes back having ended the change differently, the two differ until someone corrects it. Go on?',
  run: async ({ control, whatIf }, given) => {
    const changes = changesOf(control);
    const outcome = (['commit', 'abort'] as const).find((one) => one === given.Outcome.toLowerCase());
    if (outcome === undefined) return failed(invalid('Outcome', 'it is neither commit nor abort'));
    const open = changes.open().find((one) => one.id === given.Id);
    if (open === undefined) return failed(problem(control, 'change/unknown', { id: given.Id }, given.Id));
    if (open.standing === 'under-way') return failed(changes.busy(open.relationship));
    if (open.side === 'coordinator' && outcome === 'abort') {
      return failed(invalid('Outcome', 'the change is in force here; make the opposite change instead'));
    }
    if (whatIf) return succeeded({ whatIf: [`Ends the change of relationship ${open.relationship} as ${outcome}.`] });
    await changes.endByHand(given.Id, outcome);
    return succeeded(null);
  },
});

/** Settings that stay local, but make clients of shared scopes see two different servers. */
const ALIGNED = ['authoritative', 'options', 'loadBalanceMaxSec', 'offerHoldSec', 'declineHoldSec'] as const;
const settingsSchema = z.object({
  authoritative: z.boolean(),
  options: z.array(
    z.strictObject({
      code: z.int(),
      hex: z.string(),
      vendorClass: z.string().exactOptional(),
      userClass: z.string().exactOptional(),
    }),
  ),
  loadBalanceMaxSec: z.int(),
  offerHoldSec: z.int(),
  declineHoldSec: z.int(),
});

export const align = defineOperation({
  name: 'pair.align',
  summary:
    'Takes over the partner’s settings of the server that affect shared scopes; with what-if it shows the differences.',
  examples: ['twinlease pair align --partner dhcp2 --what-if', 'twinlease pair align --partner dhcp2'],
  params: z.strictObject({ ...params.common, Partner: params.text, Force: params.force }),
  result: z.array(z.object({ Setting: z.string(), Here: z.string(), There: z.string() })),
  changes: true,
  confirm: (given) => `Settings of this server become those of ${given.Partner}. Go on?`,
  run: async (context, given) => {
    const { control } = context;
    const partner = partnerNamed(control, given.Partner);
    if (partner === undefined) return failed(unknownPartner(control, given.Partner));
    const answer = await callPartner(control, partner, {
      method: 'config.settings',
      params: {},
      answer: settingsSchema,
    });
    if (answer.kind === 'failed') return failed(answer.problem);
    const before = control.revision().config;
    const differences = differencesOf(before, answer.value);
    const outcome = await changeLocally(context, `settings taken from ${partner.name}`, (config) => ({
      kind: 'ok',
      config: withSettings(config, answer.value),
    }));
    if (outcome.kind === 'failed') return outcome;
    return succeeded(outcome.kind === 'what-if' ? { whatIf: outcome.lines } : differences);
  },
});

function withSettings(config: Config, settings: Pick<ServerSettings, (typeof ALIGNED)[number]>): Config {
  return { ...config, server: { ...config.server, ...settings } };
}

function differencesOf(config: Config, settings: Pick<ServerSettings, (typeof ALIGNED)[number]>) {
  return diffConfig(config, withSettings(config, settings)).map((change) => ({
    Setting: change.path,
    Here: JSON.stringify(change.before ?? null),
    There: JSON.stringify(change.after ?? null),
  }));
}

export function partnerNamed(control: Control, text: string): Partner | undefined {
  const wanted = text.trim().toLowerCase();
  const { partners } = control.revision().config;
  return partners.find((one) => [one.name.toLowerCase(), one.host.toLowerCase(), one.key].includes(wanted));
}

export function unknownPartner(control: Control, partner: string): Problem {
  return problem(control, 'pair/unknown-partner', { partner }, partner);
}
