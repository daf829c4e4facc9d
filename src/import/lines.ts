/** Lines of a file that is read in pieces, with a bound on the length of one. */

export const LINE_CHARACTERS_MAX = 65_536;

export interface NumberedLine {
  /** From 1. */
  readonly number: number;
  /** Without its end; undefined for a line that is too long. */
  readonly text: string | undefined;
}

export async function* linesOf(chunks: AsyncIterable<string>): AsyncGenerator<NumberedLine> {
  let number = 1;
  let rest = '';
  let isTooLong = false;
  for await (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf('\n'); end >= 0; end = chunk.indexOf('\n', from)) {
      const text = rest + chunk.slice(from, end);
      yield { number, text: isTooLong || text.length > LINE_CHARACTERS_MAX ? undefined : text.replace(/\r$/, '') };
      number++;
      rest = '';
      isTooLong = false;
      from = end + 1;
    }
    rest += chunk.slice(from);
    if (rest.length > LINE_CHARACTERS_MAX) {
      isTooLong = true;
      rest = '';
    }
  }
  if (isTooLong || rest !== '') yield { number, text: isTooLong ? undefined : rest };
}
