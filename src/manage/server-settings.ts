/**
 * The server itself: its version as scripts probe it (PS_DhcpServerVersion), the settings of Windows's class that have a meaning
 * here (PS_DhcpServerSetting), and this product's own settings.
 */
import { z } from 'zod';
import type { ServerSettings } from '../core/config/model.ts';
import { parseIp4 } from '../wire/units.ts';
import { defineOperation } from './define.ts';
import { changeLocally } from './local-change.ts';
import { failed, succeeded } from './operation.ts';
import * as params from './params.ts';
import { invalid } from './problems.ts';

export const getVersion = defineOperation({
  name: 'server.version',
  windows: 'PS_DhcpServerVersion.Get',
  summary: 'Shows the version of Windows’s DHCP server whose behaviour scripts may expect.',
  examples: ['twinlease server version'],
  params: z.strictObject(params.common),
  result: z.object({ MajorVersion: z.int(), MinorVersion: z.int(), Product: z.string(), ProductVersion: z.string() }),
  changes: false,
  run: async ({ control }) =>
    succeeded({ MajorVersion: 10, MinorVersion: 0, Product: 'twinlease', ProductVersion: control.version }),
});

const windowsSettingSchema = z.object({
  IsDomainJoined: z.boolean(),
  IsAuthorized: z.boolean(),
  DynamicBootp: z.boolean(),
  RestoreStatus: z.boolean(),
  NapEnabled: z.boolean(),
  ConflictDetectionAttempts: z.int(),
  NpsUnreachableAction: z.string(),
  ActivatePolicies: z.boolean(),
});

/** What Windows's class says of a server outside a domain; nothing of it can be switched here. */
const WINDOWS_SETTINGS = {
  IsDomainJoined: false,
  IsAuthorized: true,
  DynamicBootp: false,
  RestoreStatus: false,
  NapEnabled: false,
  ConflictDetectionAttempts: 0,
  NpsUnreachableAction: 'Full',
  ActivatePolicies: true,
};

export const getWindowsSetting = defineOperation({
  name: 'server.get-setting',
  windows: 'PS_DhcpServerSetting.Get',
  summary: 'Shows the settings that Windows’s class has.',
  examples: ['twinlease server get-setting'],
  params: z.strictObject(params.common),
  result: windowsSettingSchema,
  changes: false,
  run: async () => succeeded(WINDOWS_SETTINGS),
});

export const setWindowsSetting = defineOperation({
  name: 'server.set-setting',
  windows: 'PS_DhcpServerSetting.Set',
  summary: 'Takes the settings that Windows’s class has, as far as they are what this server does.',
  examples: ['twinlease server set-setting --conflict-detection-attempts 0'],
  params: z.strictObject({
    ...params.common,
    ConflictDetectionAttempts: params.uint32.nullish(),
    NpsUnreachableAction: params.optionalText,
    NapEnabled: params.flag,
    ActivatePolicies: params.flag,
    PassThru: params.passThru,
  }),
  result: windowsSettingSchema.nullable(),
  changes: true,
  run: async ({ whatIf }, given) => {
    for (const name of ['ConflictDetectionAttempts', 'NapEnabled', 'ActivatePolicies'] as const) {
      const value = given[name];
      if (value != null && value !== WINDOWS_SETTINGS[name])
        return failed(invalid(name, `only ${WINDOWS_SETTINGS[name]} is supported`));
    }
    if (whatIf) return succeeded({ whatIf: ['Nothing would change.'] });
    return succeeded(given.PassThru === true ? WINDOWS_SETTINGS : null);
  },
});

const ownSettingsSchema = z.object({
  Name: z.string(),
  Authoritative: z.boolean(),
  TrustedRelays: z.array(z.string()),
  LoadBalanceMaxSec: z.int(),
  OfferHoldSec: z.int(),
  DeclineHoldSec: z.int(),
});

function ownSettings(server: ServerSettings): z.infer<typeof ownSettingsSchema> {
  return {
    Name: server.name,
    Authoritative: server.authoritative,
    TrustedRelays: [...server.trustedRelays],
    LoadBalanceMaxSec: server.loadBalanceMaxSec,
    OfferHoldSec: server.offerHoldSec,
    DeclineHoldSec: server.declineHoldSec,
  };
}

export const getServer = defineOperation({
  name: 'server.get',
  summary: 'Shows the settings of this server.',
  examples: ['twinlease server get'],
  params: z.strictObject(params.common),
  result: ownSettingsSchema,
  changes: false,
  run: async ({ control }) => succeeded(ownSettings(control.revision().config.server)),
});

export const setServer = defineOperation({
  name: 'server.set',
  summary: 'Changes settings of this server; they are never replicated.',
  examples: ['twinlease server set --authoritative', 'twinlease server set --trusted-relays 10.0.9.1'],
  params: z.strictObject({
    ...params.common,
    Authoritative: params.flag.describe('Refuses unknown leases instead of staying silent.'),
    TrustedRelays: params.texts.nullish().describe('Only packets of these relays are served; empty is any.'),
    LoadBalanceMaxSec: z
      .int()
      .min(0)
      .max(0xffff)
      .nullish()
      .describe('The other server answers too after this many seconds.'),
    OfferHoldSec: z.int().min(1).max(3600).nullish(),
    DeclineHoldSec: params.seconds.nullish(),
    PassThru: params.passThru,
  }),
  result: ownSettingsSchema.nullable(),
  changes: true,
  run: async (context, given) => {
    const stranger = given.TrustedRelays?.find((relay) => parseIp4(relay) === undefined);
    if (stranger !== undefined) return failed(invalid('TrustedRelays', `${stranger.slice(0, 64)} is not an address`));
    const outcome = await changeLocally(context, 'settings of the server changed', (config) => ({
      kind: 'ok',
      config: {
        ...config,
        server: {
          ...config.server,
          authoritative: given.Authoritative ?? config.server.authoritative,
          trustedRelays: given.TrustedRelays ?? config.server.trustedRelays,
          loadBalanceMaxSec: given.LoadBalanceMaxSec ?? config.server.loadBalanceMaxSec,
          offerHoldSec: given.OfferHoldSec ?? config.server.offerHoldSec,
          declineHoldSec: given.DeclineHoldSec ?? config.server.declineHoldSec,
        },
      },
    }));
    if (outcome.kind === 'failed') return outcome;
    if (outcome.kind === 'what-if') return succeeded({ whatIf: outcome.lines });
    return succeeded(given.PassThru === true ? ownSettings(outcome.config.server) : null);
  },
});
