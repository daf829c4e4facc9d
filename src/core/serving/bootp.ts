/**
 * BOOTP (RFC 951, RFC 1534): one question, one answer, and the address has no end. Clients are served where the scope or a
 * reservation allows them, only from addresses that are this server's own, and no more of them than the scope says.
 */
import { formatIp4, type Ip4 } from '../../wire/units.ts';
import { BOOTP_CLIENTS_UNLIMITED } from '../config/defaults.ts';
import { type Choice, chooseAddress } from './address-choice.ts';
import { type Asking, answer, drop } from './asking.ts';
import { answeringScopes } from './discover.ts';
import { grantForEver } from './grant.ts';
import { IP_FLAG_BOOTP } from './option-codes.ts';
import { makeReply } from './reply.ts';
import { chooseLink } from './scope-choice.ts';
import type { ScopeView } from './scope-index.ts';
import type { Decision } from './serving-types.ts';

/** Records read at a time while BOOTP clients are counted. */
const COUNT_CHUNK = 1024;

export function decideBootp(asking: Asking): Decision {
  const { packet, parts } = asking;
  // RFC 951 7.3: a client that names a server wants that one.
  if (packet.sname.length > 0 && asciiOf(packet.sname) !== parts.settings.name) {
    return drop(asking, undefined, 'not-for-us', 'the client names another boot server');
  }
  const chosen = chooseLink(asking);
  if (chosen.kind === 'none') return drop(asking, undefined, 'no-scope', chosen.why);
  const eligible = answeringScopes(asking, chosen.link, 'bootp');
  if (eligible.kind === 'none') return drop(asking, chosen.link.scopes[0], eligible.code, eligible.why);
  const choice = chooseAddress(asking, chosen.link, eligible.scopes);
  if (choice === undefined) {
    const scope = eligible.scopes[0]!;
    return drop(asking, scope, 'no-address', `no address to give in ${scope.idText}`);
  }
  if (isOverLimit(asking, choice)) {
    return drop(asking, choice.scope, 'not-allowed', `${choice.scope.idText} has all the BOOTP clients it may have`);
  }
  const changed = isUnchanged(choice) ? [] : grantForEver(asking, choice);
  const reply = makeReply(asking, {
    type: 'bootp',
    scope: choice.scope,
    reserved: choice.standing.reserved,
    address: choice.address,
    lease: undefined,
  });
  const reason = `gave ${formatIp4(choice.address)} to a BOOTP client: ${choice.how}`;
  return answer(asking, choice.scope, reply, { reason, changed });
}

/** A client that boots again gets the same answer, and nothing has to be made durable for it. */
function isUnchanged(choice: Choice): boolean {
  return choice.standing.kind === 'own' && (choice.standing.binding.ipFlags & IP_FLAG_BOOTP) !== 0;
}

function isOverLimit(asking: Asking, choice: Choice): boolean {
  const { scope, standing } = choice;
  if (standing.kind === 'own' || standing.reserved !== undefined) return false;
  return scope.maxBootpClients !== BOOTP_CLIENTS_UNLIMITED && hasAsMany(asking, scope, scope.maxBootpClients);
}

function hasAsMany(asking: Asking, scope: ScopeView, count: number): boolean {
  let left = count;
  let from = scope.id;
  while (left > 0) {
    const seen = asking.parts.bindings.scan(scope.id, from, COUNT_CHUNK);
    for (const binding of seen) if (binding.state === 'active' && (binding.ipFlags & IP_FLAG_BOOTP) !== 0) left--;
    const last = seen[seen.length - 1];
    if (last === undefined || seen.length < COUNT_CHUNK) break;
    from = (last.address + 1) as Ip4;
  }
  return left <= 0;
}

function asciiOf(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
