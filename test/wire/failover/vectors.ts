/** Reads the captured failover frames of `test/vectors/failover`, and shows messages as plain data for comparison. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromHex, toHex } from '../../../src/wire/units.ts';

export interface GoldenMessage {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly about: string;
}

export interface CapturedFrame {
  readonly capture: string;
  readonly sender: 'primary' | 'secondary' | 'probe';
  readonly bytes: Uint8Array;
}

export function hex(text: string): Uint8Array {
  const bytes = fromHex(text.replaceAll(' ', ''));
  assert.ok(bytes !== undefined, `hexadecimal: ${text}`);
  return bytes;
}

function lines(file: string): string[] {
  const text = readFileSync(join(process.cwd(), 'test/vectors/failover', file), 'utf8');
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

export function goldenMessages(): GoldenMessage[] {
  return lines('golden.txt').map((line) => {
    const [name, bytes, ...about] = line.split(' ');
    return { name: name!, bytes: hex(bytes!), about: about.join(' ') };
  });
}

export function capturedFrames(): CapturedFrame[] {
  return lines('isc-frames.txt').map((line) => {
    const [capture, sender, bytes] = line.split(' ');
    assert.ok(sender === 'primary' || sender === 'secondary' || sender === 'probe');
    return { capture: capture!, sender, bytes: hex(bytes!) };
  });
}

/** The value without undefined fields, bytes as hexadecimal and maps as lists: what two messages are compared by. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value);
  if (value instanceof Map) return [...value].map(([key, item]) => [key, plain(item)]);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).filter(([, item]) => item !== undefined);
  return Object.fromEntries(fields.map(([key, item]) => [key, plain(item)]));
}
