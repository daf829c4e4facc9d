/**
 * Clauses that are covered by tests with names of their own, as `source: name`. A name that no longer exists fails the test of
 * the coverage page.
 */
const DIGEST = 'test/wire/failover/digest.test.ts: ';
const CODEC = 'test/wire/failover/codec.test.ts: ';
const PLAIN_LINKS = 'test/server/plain-links.test.ts: ';
const SCENARIOS = 'test/core/failover/scenarios.test.ts: ';
const REQUEST = 'test/core/serving/request.test.ts: ';
const SERVING = 'test/core/serving/failover.test.ts: ';
const GIVEN_UP = 'test/core/serving/decline-release-inform.test.ts: ';

const REFUSED = `${DIGEST}a missing, a wrong, an unknown and an unexpected digest are refused with the draft’s reasons`;

export const ELSEWHERE: Readonly<Record<string, readonly string[]>> = {
  '1.1 source-address': [
    `${PLAIN_LINKS}a connection from an address that no partner has is closed without a byte`,
    'test/net/partner-door.test.ts: a plain connection from anywhere else is closed at once',
  ],
  '1.1 stream': [
    'test/wire/failover/framer.test.ts: a stream split once at every byte gives the same frames',
    'test/wire/failover/laws.test.ts: any split of a stream gives the same frames',
  ],
  '1.6 message-digest': [
    'test/server/links.test.ts: with a shared secret a CONNECT without digest is refused, and what we send carries one',
    'test/wire/failover/laws.test.ts: every message passes every digest scheme, and any change to it is noticed',
  ],
  '1.6 missing/BNDACK/2': [
    `${CODEC}a BNDACK without an address is refused, and one that echoes more is read without the rest`,
  ],
  '1.7 sent/12': [REFUSED],
  '1.7 sent/13': [REFUSED],
  '1.7 sent/20': [REFUSED],
  '1.7 sent/21': [REFUSED, `${PLAIN_LINKS}a message without a digest is refused where a secret is agreed`],
  '1.8 step-4': [
    'test/server/links.test.ts: with a shared secret a CONNECT without digest is refused, and what we send carries one',
    REFUSED,
  ],
  '1.8 step-9': [`${CODEC}the dialect is told by payload offset and vendor class`],
  '1.12 digest-form': [
    `${DIGEST}our digest is HMAC-SHA-256 of the whole message with the digest bytes zero, as first option`,
    `${DIGEST}the draft’s digest is HMAC-MD5 of the message followed by the secret`,
  ],
  '1.12 digest-missing': [REFUSED],
  '1.12 digest-unexpected': [REFUSED],
  '1.12 digest-wrong': [REFUSED],
  '1.12 digest-replay': ['test/net/partner-door.test.ts: each connection exports another value'],
  '1.12 digest-isc': [`${DIGEST}dhcpd’s dialect passes over a digest, as dhcpd does`],
  '1.14 digest/draft': [`${DIGEST}the draft’s digest is HMAC-MD5 of the message followed by the secret`],
  '1.14 digest/isc': [`${DIGEST}dhcpd’s dialect passes over a digest, as dhcpd does`],
  '1.14 digest/msft': [
    `${DIGEST}the search over Windows’s schemes has 18 of them and begins with the likeliest`,
    `${PLAIN_LINKS}as secondary of Windows the way of authenticating is taken from its CONNECT, kept, and used for the answer`,
  ],
  '3.3 digest': [`${DIGEST}with a secret longer than a hash block each of Windows’s schemes is told from the others`],
  '3.6 search': [`${DIGEST}the search over Windows’s schemes has 18 of them and begins with the likeliest`],
  '3.6 locked': [`${PLAIN_LINKS}a way that was found is the only one that is believed from then on`],
  '3.6 primary': [
    `${PLAIN_LINKS}as primary of Windows the ways of authenticating are tried on successive connections, each once`,
  ],
  '3.6 failure': [`${PLAIN_LINKS}a message without a digest is refused where a secret is agreed`],
  '3.6 no-fallback': [`${PLAIN_LINKS}a message without a digest is refused where a secret is agreed`],
  '3.8 1': [
    `${PLAIN_LINKS}as secondary of Windows the way of authenticating is taken from its CONNECT, kept, and used for the answer`,
  ],
  '4.1 release-decline': [
    `${SERVING}none: no answer to anything, and nothing changes`,
    `${GIVEN_UP}is taken from its client alone`,
    `${GIVEN_UP}sets aside an address that was leased to the client, without its data`,
  ],
  '4.1 inform': [`${GIVEN_UP}is answered in every state that serves at all, and in none other`],
  '4.3 no-outage/live-leases': [
    'test/core/failover/main-line.test.ts: 4.3 cold start: the called server is never silent, and both reach NORMAL with the addresses shared',
  ],
  '4.3 no-outage/scope-added': [
    `${SCENARIOS}4.3 a scope added to a live pair: the new half is silent and the other serves it until the data are here`,
  ],
  '4.3 no-outage/old-store': [
    `${SCENARIOS}4.3 A comes back from an old copy: told so, it recovers and waits`,
    `${SCENARIOS}4.3 B loses its store: it gets everything, and waits MCLT before it serves`,
    `${SCENARIOS}4.3 an old copy that ran on alone, and so has a new sequence, is told all the same`,
  ],
  '4.5 first-start': ['test/talks/talks.test.ts: talk cold-start.txt'],
  '4.5 crash-and-return': [
    `${SCENARIOS}4.5 A is killed and comes back within COMMUNICATIONS-INTERRUPTED: nothing is lost`,
    'test/talks/talks.test.ts: talk partner-killed.txt',
  ],
  '4.5 return-to-partner-down': [
    `${SCENARIOS}4.5 a partner returns to PARTNER-DOWN: RECOVER, RECOVER-WAIT, RECOVER-DONE, both NORMAL`,
  ],
  '4.5 both-partner-down': [
    `${SCENARIOS}4.4, I25 partner-down declared on both sides: potential conflict, resolved, the primary’s client keeps the address`,
    'test/talks/talks.test.ts: talk two-partners-down.txt',
  ],
  '5.1 no-learning': [`${REQUEST}never learns a lease from a client that rebinds`],
  '5.2 abandoned/reset': [`${GIVEN_UP}failover specification 5.2: ends by way of RESET where there is a partner`],
  '5.3 bootp/for-ever': [
    'test/core/serving/bootp.test.ts: gives an address without end, at once and without DHCP options',
    'test/wire/failover/clauses-wire.test.ts: for ever is 0x7fffffff toward dhcpd, both ways, and that value alone [6.1 infinite-isc]',
  ],
  '6.2 t1t2': [
    'test/core/serving/reply.test.ts: failover specification 6.2: come from the granted time, not from the wanted one',
  ],
  '6.2 offer': [`${SERVING}OFFER and ACK tell what the rights grant, and the binding ends then`],
  '6.3 offer': [
    'test/core/serving/main-line.test.ts: offers the lowest never-used address and leases it to the client that takes it',
  ],
  '6.3 ack': [
    'test/e2e/flush-order.test.ts: every ACK and every BNDACK is sent after a completed flush that covers it',
  ],
  '6.4 isc-warning': [
    'test/manage/foreign.test.ts: the weaknesses of dhcpd are told when a relationship is made, and an MCLT shorter than a lease whenever it is',
  ],
  '8.4 selecting': [`${REQUEST}drops a request for another server and lets the own offer go`],
  '8.4 init-reboot': [`${REQUEST}is answered by the server whose turn it is`],
  '8.4 renewing': [
    `${REQUEST}renewing: is answered whichever server's client it is`,
    `${REQUEST}rebinding on the wire: is answered whichever server's client it is`,
  ],
  '8.4 release-decline': [
    `${GIVEN_UP}is taken from its client alone`,
    `${GIVEN_UP}sets aside an address that was only offered to it`,
  ],
  '8.4 inform': [`${GIVEN_UP}is answered in every state that serves at all, and in none other`],
  'D 5.1.1 unique-name': ['test/core/config/checks.test.ts: refuses two relationships of one name'],
  'D 5.14 b-bit': ['test/core/serving/bootp.test.ts: gives an address without end, at once and without DHCP options'],
  'D 7.2 not-on-another-connection': [
    'test/server/links.test.ts: what waited on a lost connection does not leave on the next one',
  ],
  'D 7.2.1 nothing-assumed': [
    `${CODEC}a BNDACK without an address is refused, and one that echoes more is read without the rest`,
  ],
  'D 7.3.2 tracked': [`${SCENARIOS}I17 UPDDONE leaves after the answers to everything that was asked for`],
  'D 11.1 closes-and-tells': [
    `${PLAIN_LINKS}a message that cannot be understood ends an established connection and is told`,
  ],
  'D 12.29 beside-28': [`${CODEC}option 29 counts only beside our vendor class, and a malformed one is refused`],
};
