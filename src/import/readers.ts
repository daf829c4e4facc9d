/** Which reader reads a file: told by its contents, or by the operator. */
import { readDhcpdConf } from './isc/read-conf.ts';
import { readDhcpdLeases } from './isc/read-leases.ts';
import type { ReadInclude } from './isc/statements.ts';
import { readKea } from './kea/read-kea.ts';
import { readKeaLeases } from './kea/read-kea-leases.ts';
import type { ImportPlan, LeaseRead } from './plan.ts';
import { readWindows } from './windows/read-windows.ts';
import { readWindowsLeases } from './windows/read-windows-leases.ts';

export const SOURCE_FORMATS = ['isc', 'kea', 'windows'] as const;
export type SourceFormat = (typeof SOURCE_FORMATS)[number];

export type ConfigurationRead =
  | { readonly kind: 'ok'; readonly plan: ImportPlan }
  | { readonly kind: 'bad'; readonly why: string; readonly line: number };

/** Comments before the beginning are no longer than this. */
const LOOK_CHARACTERS = 65_536;

/** Kea's files are JSON with comments, Windows's exports are XML; everything else is taken for a dhcpd.conf. */
export function detectFormat(text: string): SourceFormat {
  const start = text.slice(0, LOOK_CHARACTERS).replace(/^(?:\uFEFF|\s|#[^\n]*\n|\/\/[^\n]*\n|\/\*[\s\S]*?\*\/)+/, '');
  if (start.startsWith('{') || start.startsWith('<?include')) return 'kea';
  return start.startsWith('<') ? 'windows' : 'isc';
}

export interface ConfigurationSource {
  readonly file: string;
  readonly readInclude: ReadInclude;
}

export interface LeaseSource {
  readonly file: string;
  /** The configuration that the leases go with. */
  readonly plan: ImportPlan;
}

interface Reader {
  configuration(text: string, source: ConfigurationSource): Promise<ConfigurationRead>;
  leases(chunks: AsyncIterable<string>, source: LeaseSource): AsyncIterable<LeaseRead>;
}

const READERS: Readonly<Record<SourceFormat, Reader>> = {
  isc: {
    configuration: readDhcpdConf,
    leases: (chunks, { file, plan }) => {
      const abandonSec = plan.server.declineHoldSec;
      return readDhcpdLeases(chunks, { file, ...(abandonSec === undefined ? {} : { abandonSec }) });
    },
  },
  kea: {
    configuration: readKea,
    leases: (chunks, { file }) => readKeaLeases(chunks, { file }),
  },
  windows: {
    configuration: async (text, { file }) => readWindows(text, { file }),
    leases: (chunks, { file }) => readWindowsLeases(chunks, { file }),
  },
};

export async function readConfiguration(
  format: SourceFormat,
  text: string,
  source: ConfigurationSource,
): Promise<ConfigurationRead> {
  return await READERS[format].configuration(text, source);
}

export function readLeases(
  format: SourceFormat,
  chunks: AsyncIterable<string>,
  source: LeaseSource,
): AsyncIterable<LeaseRead> {
  return READERS[format].leases(chunks, source);
}
