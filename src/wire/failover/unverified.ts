/**
 * Everything that this program believes of Windows's dialect without having seen it on a wire (failover specification 3 and the test
 * list 11.1), in one place: when a capture proves one of these wrong, it is mended here. W numbers are those of the list.
 */

/** *unverified*, W4: Windows writes this payload offset, although its options begin at 12 (specification 1.2). */
export const WINDOWS_PAYLOAD_OFFSET = 8;
/** *unverified*, W5: which number RECOVER-WAIT has is not known; Windows hears RECOVER until the wait is over. */
export const WINDOWS_HEARS_RECOVER_WAIT_AS = 'recover';
/** *unverified*, W10: how many unanswered updates it bears is not known. */
export const WINDOWS_UNACKED_MAX = 10;
/** *unverified*, W7: it hashes the hardware address, even of a client that sends an identifier. */
export const WINDOWS_HASHES_HARDWARE = true;
/** *unverified*, W3: one sentence of [MS-DHCPF] lets both servers send CONNECT; one that a primary gets is passed over. */
export const WINDOWS_SECONDARY_MAY_CONNECT = true;

/** *unverified*: whether the xids of its messages rise, as the draft wants it (specification 1.12), so that it is not demanded of it. */
export const WINDOWS_XIDS_RISE = false;

/** *unverified* (specification 3.3): the type octet of its digests. */
export const WINDOWS_DIGEST_TYPE = 2;
/**
 * *unverified*, W1: where its digest stands, what it covers and how the secret becomes a key. Every combination is tried, in this
 * order; the first that verifies a message is kept.
 */
export const WINDOWS_DIGEST_POSITIONS = ['first', 'last'] as const;
export const WINDOWS_DIGEST_COVERAGES = ['zeroed', 'zeroed-and-secret', 'removed'] as const;
export const WINDOWS_SECRET_ENCODINGS = ['utf-16le', 'utf-16le-nul', 'utf-8'] as const;

/** *unverified*, W9: what is sent for a lease (specification 3.4); RELEASED is told by the IP-flags. */
export const WINDOWS_LEASE_STATUS = {
  active: 0x01,
  released: 0x01,
  expired: 0x03,
  reset: 0x03,
  abandoned: 0x02,
} as const;
/** The bits of the state in it: 0 offered, 1 active, 2 declined, 3 doomed. */
export const WINDOWS_STATE_BITS = 0x03;
/**
 * *unverified*, W9: the words for ownership, which share the octet with the above. Which of the two is meant is told by option 5: with
 * a hardware address it is a lease.
 */
export const WINDOWS_OWNERSHIP = { free: 1, backup: 2, reconcile: 4, freeResent: 5, backupResent: 6 } as const;

/**
 * *unverified*, W14: the options that go with each lease beside the mask and the server's address: client type DHCP, and the three of
 * network access protection, zero.
 */
export const WINDOWS_CLIENT_TYPE = 1;
export const WINDOWS_ACCESS_OPTIONS = [
  [37, 1],
  [38, 4],
  [39, 1],
] as const;
