/** Reads the captured packets of `test/vectors/dhcp`: hexadecimal lines, with the origin in `#` lines. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromHex } from '../../../src/wire/units.ts';

export interface Vector {
  readonly name: string;
  readonly origin: string;
  /** Message type and xid as tshark read them. */
  readonly messageType: number;
  readonly xid: number;
  readonly bytes: Uint8Array;
}

/** All vectors by name. A malformed file is a fault of the repository and throws. */
export function readVectors(): Vector[] {
  const folder = join(process.cwd(), 'test', 'vectors', 'dhcp');
  const names = readdirSync(folder).filter((name) => name.endsWith('.hex'));
  return names.sort().map((name) => {
    const lines = readFileSync(join(folder, name), 'utf8').split('\n');
    const bytes = fromHex(lines.filter((line) => !line.startsWith('#')).join(''));
    const header = lines.filter((line) => line.startsWith('#')).join('\n');
    const origin = /Origin: (.*)/.exec(header)?.[1];
    const facts = /Message type (\d+), xid (0x[0-9a-f]+)/.exec(header);
    if (bytes === undefined || origin === undefined || facts === null) throw new Error(`${name} is not a vector`);
    return { name: name.slice(0, -4), origin, messageType: Number(facts[1]), xid: Number(facts[2]), bytes };
  });
}
