/** The numbers of the options that serving itself reads or makes (RFC 2132 and the RFC named at the line). */
export const OPTION = {
  subnetMask: 1,
  hostName: 12,
  vendorSpecific: 43,
  requestedAddress: 50,
  leaseTime: 51,
  messageType: 53,
  serverId: 54,
  parameterRequestList: 55,
  message: 56,
  maxMessageSize: 57,
  renewalTime: 58,
  rebindingTime: 59,
  vendorClass: 60,
  clientId: 61,
  tftpServerName: 66,
  bootFileName: 67,
  /** RFC 3004 */
  userClass: 77,
  /** RFC 4039 */
  rapidCommit: 80,
  /** RFC 4702 */
  clientFqdn: 81,
  /** RFC 3046 */
  relayInformation: 82,
  /** RFC 8925 */
  ipv6OnlyPreferred: 108,
  /** RFC 3011 */
  subnetSelection: 118,
} as const;

/** Bits of the failover IP-flags that a binding carries (specification 1.5, option 12). */
export const IP_FLAG_RESERVED = 1;
export const IP_FLAG_BOOTP = 2;
