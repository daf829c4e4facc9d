/** Copies of what the simulator runs, with one plant in each: in a directory of their own, never in the working tree. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plant } from './plants.ts';

/** Where the compiled project is; this file is in `test/planted` below it. */
const COMPILED = fileURLToPath(new URL('../../', import.meta.url));
const PARTS = ['src/core', 'src/wire', 'src/sim', 'test/sim/run'];

export interface PlantedCopy {
  /** The worker of the copy. */
  readonly worker: URL;
  remove(): void;
}

/** A copy of the compiled project with the plant in it; without one it is the same as the original. */
export function makeCopy(plant: Plant | undefined): PlantedCopy {
  const directory = mkdtempSync(join(tmpdir(), 'twinlease-planted-'));
  for (const part of PARTS) {
    mkdirSync(join(directory, part), { recursive: true });
    cpSync(join(COMPILED, part), join(directory, part), {
      recursive: true,
      filter: (path) => !path.endsWith('.map') && !path.endsWith('.test.js'),
    });
  }
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }\n');
  symlinkSync(join(process.cwd(), 'node_modules'), join(directory, 'node_modules'));
  if (plant !== undefined) {
    const file = join(directory, 'src', plant.file.replace(/\.ts$/, '.js'));
    writeFileSync(file, planted(readFileSync(file, 'utf8'), plant));
  }
  return {
    worker: new URL(`file://${join(directory, 'test/sim/run/worker.js')}`),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** The text with the plant in it; throws where the plant does not fit exactly once. */
export function planted(text: string, plant: Plant): string {
  const parts = text.split(plant.text);
  if (parts.length !== 2) throw new Error(`${plant.name}: its text stands ${parts.length - 1} times in ${plant.file}`);
  return parts.join(plant.replacement);
}
