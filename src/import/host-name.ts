/** The name of a client in a lease: what fits option 12, so that one long name does not make a whole import fail. */
const HOST_NAME_BYTES_MAX = 255;

export function boundedName(text: string): string {
  // A part of a character at the end becomes a replacement character of three octets, which must fit too.
  const octets = new TextEncoder().encode(text);
  if (octets.length <= HOST_NAME_BYTES_MAX) return text;
  return new TextDecoder().decode(octets.subarray(0, HOST_NAME_BYTES_MAX)).replace(/\uFFFD+$/, '');
}
