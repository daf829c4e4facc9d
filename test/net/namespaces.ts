/** Network namespaces for one test: made with names of their own, joined by veth pairs, and removed when the test ends. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import type { TestContext } from 'node:test';

export interface Namespace {
  readonly name: string;
  /** Runs `ip` inside it. */
  ip(args: string): void;
}

export function makeNamespace(t: TestContext): Namespace {
  const name = `tl-${randomBytes(5).toString('hex')}`;
  execFileSync('ip', ['netns', 'add', name]);
  t.after(() => execFileSync('ip', ['netns', 'del', name]));
  const ip = (args: string): void => {
    execFileSync('ip', ['-n', name, ...args.split(' ')], { stdio: ['ignore', 'ignore', 'pipe'] });
  };
  ip('link set lo up');
  return { name, ip };
}

/** A cable between the same interface name on both sides. */
export function joinNamespaces(a: Namespace, b: Namespace, interfaceName: string): void {
  a.ip(`link add ${interfaceName} type veth peer name ${interfaceName} netns ${b.name}`);
  a.ip(`link set ${interfaceName} up`);
  b.ip(`link set ${interfaceName} up`);
}
