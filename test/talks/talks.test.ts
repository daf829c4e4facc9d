/**
 * Scripted conversations of two engines. A file is a row of blocks: commands, separated by `;` or line ends, then `----`, then what
 * came of them up to an empty line: messages in the order they were sent (CONTACT left out), what clients got, and the states
 * at the end. `TALKS_REWRITE=1` records the output anew; it is then reviewed like code.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Ip4 } from '../../src/wire/units.ts';
import { Pair, type PairOptions, SCOPE, type Side } from '../core/failover/pair.ts';

const FOLDER = join(process.cwd(), 'test', 'talks');

interface Block {
  readonly commands: readonly string[];
  readonly expected: string;
}

function parse(text: string): Block[] {
  return text
    .trim()
    .split(/\n\n+/)
    .map((part) => {
      const [input = '', ...rest] = part.split(/\n----(?:\n|$)/);
      return { commands: input.split('\n'), expected: rest.join('\n----\n').trimEnd() };
    });
}

class Talk {
  #pair: Pair | undefined;
  #seen = 0;
  #lines: string[] = [];

  run(block: Block): string {
    this.#lines = [];
    for (const line of block.commands)
      for (const command of line.split(';')) {
        const words = command.replace(/#.*/, '').trim().split(/\s+/);
        if (words[0] !== '') this.#do(words);
      }
    if (this.#pair !== undefined) this.#lines.push(this.#pair.states());
    return this.#lines.join('\n');
  }

  get #world(): Pair {
    assert.ok(this.#pair !== undefined, 'a talk begins with pair');
    return this.#pair;
  }

  #do(words: readonly string[]): void {
    const [verb, a = '', b = '', c = '', d = '', e = ''] = words;
    if (verb === 'pair') {
      this.#pair = new Pair(optionsOf(words.slice(1)));
      return;
    }
    const pair = this.#world;
    const side = a as Side;
    if (verb === 'start') pair.start(...(words.slice(1) as Side[]));
    else if (verb === 'advance') pair.advance(Number(a) * 1000);
    else if (verb === 'cut' || verb === 'heal' || verb === 'vanish') pair[verb]();
    else if (verb === 'kill') pair.kill(side);
    else if (verb === 'revive') pair.revive(side, b === 'empty');
    else if (verb === 'partner-down')
      this.#lines.push(`partner-down on ${a}: ${pair.command(side, { kind: 'partner-down' })}`);
    else if (verb === 'shutdown') pair.command(side, { kind: 'shutdown' });
    else if (verb === 'client') this.#client(a, b, d as Side, Number(e === '' ? 600 : e));
    else if (verb === 'show') for (const s of ['A', 'B'] as const) this.#lines.push(`${s}: ${pair.counts(s)}`);
    else assert.fail(`unknown command ${verb} ${a} ${b} ${c}`);
    this.#messages();
  }

  #client(name: string, what: string, side: Side, desired: number): void {
    const pair = this.#world;
    if (what === 'releases') {
      const [held] = pair.servers[side].table.findByHardware(Uint8Array.from([1, ...new TextEncoder().encode(name)]));
      assert.ok(held !== undefined, `${name} holds nothing`);
      pair.release(side, held.address);
      return;
    }
    const lease = pair.lease(side, name, desired);
    const text =
      lease === undefined
        ? 'gets nothing'
        : `has ${addressOf(lease.address)} for ${lease.leaseEndAt - pair.now(side).wallAt}`;
    this.#lines.push(`${name} ${text} from ${side}`);
  }

  #messages(): void {
    const { log } = this.#world;
    for (const line of log.slice(this.#seen)) if (!line.endsWith('-> contact')) this.#lines.push(line);
    this.#seen = log.length;
  }
}

function addressOf(address: Ip4): number {
  return address - SCOPE;
}

function optionsOf(words: readonly string[]): PairOptions {
  const given = new Map(words.map((word) => word.split('=') as [string, string]));
  const number = (name: string, usual: number): number => Number(given.get(name) ?? usual);
  return {
    mode: given.get('mode') === 'hot-standby' ? 'HotStandby' : 'LoadBalance',
    percentage: number('percentage', 50),
    mcltSec: number('mclt', 60),
    poolSize: number('pool', 6),
    called: (given.get('called') ?? 'A') as Side,
    active: (given.get('active') ?? 'A') as Side,
    ...(given.has('auto-partner-down') ? { autoPartnerDownSec: number('auto-partner-down', 0) } : {}),
  };
}

const files = readdirSync(FOLDER).filter((name) => name.endsWith('.txt'));

test('there are talks', () => {
  assert.ok(files.length > 0);
});

for (const name of files)
  test(`talk ${name}`, () => {
    const path = join(FOLDER, name);
    const blocks = parse(readFileSync(path, 'utf8'));
    const talk = new Talk();
    const outputs = blocks.map((block) => talk.run(block));
    if (process.env['TALKS_REWRITE'] === '1') {
      const parts = blocks.map((block, i) => `${block.commands.join('\n')}\n----\n${outputs[i]}\n`);
      writeFileSync(path, parts.join('\n'));
      return;
    }
    for (const [i, block] of blocks.entries())
      assert.equal(outputs[i], block.expected, `after: ${block.commands.join('; ')}`);
  });
