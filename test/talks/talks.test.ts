/**
 * Scripted conversations of two engines, of one (`one`) whose partner the script speaks for, or of one with a recorded dhcpd
 * (`isc`, see `isc-replay.ts`). A file is a row of blocks: commands, separated by `;` or line ends, then `----`, then what
 * came of them up to an empty line: messages in the order they were sent (CONTACT left out), what clients got, and the states
 * at the end. `TALKS_REWRITE=1` records the output anew; it is then reviewed like code.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ServerState, WireProfile } from '../../src/wire/failover/messages.ts';
import type { EpochSec, Ip4, Sec } from '../../src/wire/units.ts';
import type { StandingState } from '../clauses/parties.ts';
import { describe, Pair, type PairOptions, SCOPE, type Side } from '../core/failover/pair.ts';
import { Rig, WALL } from '../core/failover/rig.ts';
import { IscReplay } from './isc-replay.ts';

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
  #one: Rig | undefined;
  #replay: IscReplay | undefined;
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
    if (this.#replay !== undefined) this.#lines.push(this.#replay.states());
    if (this.#one !== undefined) this.#lines.push(`${this.#one.role} ${this.#one.state}`);
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
    if (verb === 'one') {
      this.#one = oneOf(words.slice(1));
      return;
    }
    if (this.#one !== undefined) {
      this.#withOne(this.#one, words);
      return;
    }
    if (verb === 'isc') this.#replay = new IscReplay(givenIn(words.slice(1)));
    if (this.#replay !== undefined) {
      this.#doReplayed(this.#replay, words);
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
    else if (verb === 'shutdown' || verb === 'pause' || verb === 'resume') pair.command(side, { kind: verb });
    else if (verb === 'client') this.#client(a, b, d as Side, Number(e === '' ? 600 : e));
    else if (verb === 'show') for (const s of ['A', 'B'] as const) this.#lines.push(`${s}: ${pair.counts(s)}`);
    else assert.fail(`unknown command ${verb} ${a} ${b} ${c}`);
    this.#messages();
  }

  /** With a recorded dhcpd: `play SEC`, `client NAME boots|renews|releases [SEC]`, an operator's command, `show`. */
  #doReplayed(replay: IscReplay, words: readonly string[]): void {
    const [verb, a = '', b = '', c = '600'] = words;
    if (verb === 'play') replay.play(Number(a));
    else if (verb === 'client') replay.client(a, b, Number(c));
    else if (verb === 'show') replay.lines.push(replay.counts());
    else if (verb === 'partner-down' || verb === 'pause' || verb === 'shutdown' || verb === 'resume')
      replay.command(verb);
    else assert.equal(verb, 'isc', `unknown command ${verb}`);
    this.#lines.push(...replay.take());
  }

  /** What the scripted partner does, and what else happens to the one engine. */
  #withOne(rig: Rig, words: readonly string[]): void {
    const [verb, a = '', b = ''] = words;
    rig.quiet();
    if (verb === 'meets') rig.link();
    else if (verb === 'says') rig.says(a as ServerState, b === 'startup' ? 1 : 0);
    else if (verb === 'lost') rig.step({ kind: 'disconnected', why: 'cut' });
    else if (verb === 'upddone') rig.hear({ kind: 'upddone', xid: rig.asked });
    else if (verb === 'answers') rig.answerAll();
    else if (verb === 'wait') rig.wait(Number(a));
    else if (verb === 'partner-down' || verb === 'pause' || verb === 'resume' || verb === 'shutdown')
      this.#lines.push(`${verb}: ${rig.command({ kind: verb })}`);
    else assert.fail(`unknown command ${verb} of one`);
    for (const effect of rig.effects) {
      if (effect.kind === 'close') this.#lines.push('closes');
      const isMessage = effect.kind === 'send' || effect.kind === 'send-now';
      if (!isMessage || effect.message.kind === 'contact') continue;
      this.#lines.push(`${rig.role} -> ${describe({ ...effect.message, sentAt: rig.wallAt })}`);
    }
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

function givenIn(words: readonly string[]): Map<string, string> {
  return new Map(words.map((word) => word.split('=') as [string, string]));
}

/** One engine in a state: with a partner that it hears where the state needs one, else alone. */
function oneOf(words: readonly string[]): Rig {
  const given = new Map(words.map((word) => word.split('=') as [string, string]));
  const state = (given.get('state') ?? 'normal') as StandingState;
  const wait = Number(given.get('recover-wait') ?? 0);
  const rig = new Rig({
    role: given.get('role') === 'secondary' ? 'secondary' : 'primary',
    poolSize: 4,
    config: given.has('auto-partner-down') ? { autoPartnerDownSec: Number(given.get('auto-partner-down')) as Sec } : {},
    record: {
      state: state === 'potential-conflict' ? 'partner-down' : state,
      partnerDownAt: WALL as EpochSec,
      recoverWaitUntilAt: (wait === 0 ? 0 : WALL + wait) as EpochSec,
    },
  });
  return rig.into(state);
}

function optionsOf(words: readonly string[]): PairOptions {
  const given = givenIn(words);
  const number = (name: string, usual: number): number => Number(given.get(name) ?? usual);
  return {
    mode: given.get('mode') === 'hot-standby' ? 'HotStandby' : 'LoadBalance',
    percentage: number('percentage', 50),
    mcltSec: number('mclt', 60),
    poolSize: number('pool', 6),
    called: (given.get('called') ?? 'A') as Side,
    active: (given.get('active') ?? 'A') as Side,
    ...(given.has('profile') ? { profile: given.get('profile') as WireProfile } : {}),
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
