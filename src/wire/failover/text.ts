/**
 * Text in failover messages: UTF-8 bytes, or UTF-16LE without terminator from Windows (failover specification 1.14).
 * Decoding never fails. Bytes that are no text become U+FFFD, so that a name made of them equals no configured name.
 */
const UTF8 = new TextDecoder('utf-8', { ignoreBOM: true });
const UTF8_STRICT = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true });
const ENCODER = new TextEncoder();

export function utf8Bytes(text: string): Uint8Array {
  return ENCODER.encode(text);
}

export function utf8Text(bytes: Uint8Array): string {
  return UTF8.decode(bytes);
}

export function utf16Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array(2 * text.length);
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    bytes[2 * i] = unit & 0xff;
    bytes[2 * i + 1] = unit >> 8;
  }
  return bytes;
}

/** An odd length cannot be UTF-16, so it is read as UTF-8: the encoding of Windows's names is known at second hand only. */
export function utf16Text(bytes: Uint8Array): string {
  if (bytes.length % 2 !== 0) return utf8Text(bytes);
  let text = '';
  for (let i = 0; i < bytes.length; i += 2) text += String.fromCharCode(bytes[i]! | (bytes[i + 1]! << 8));
  return text;
}

/** Reads text that may be either: option 16 has no NUL (draft), so a NUL byte or broken UTF-8 tells UTF-16LE. */
export function eitherText(bytes: Uint8Array): string {
  if (bytes.includes(0)) return utf16Text(bytes);
  try {
    return UTF8_STRICT.decode(bytes);
  } catch {
    // Not an error: strict decoding is the test that tells the two encodings apart.
    return utf16Text(bytes);
  }
}

/** UTF-8 of at most `bytesMax` bytes, cut between characters; NUL is left out, as option 16 must not have one. */
export function shortenedUtf8(text: string, bytesMax: number): Uint8Array {
  const whole = ENCODER.encode(text.replaceAll('\0', ''));
  if (whole.length <= bytesMax) return whole;
  let end = bytesMax;
  // A byte 10xxxxxx continues a character: cut before the character's first byte.
  while (end > 0 && (whole[end]! & 0xc0) === 0x80) end--;
  return whole.subarray(0, end);
}
