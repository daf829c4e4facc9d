/**
 * Reading XML from outside: strict, aware of namespaces, and bounded. Document types and entities of a document's own are refused,
 * because nothing that is read here needs them and they can make a small document large. One reader for files that come in pieces and
 * for messages that are there at once.
 */
import { SaxesParser } from 'saxes';

export interface XmlLimits {
  readonly charactersMax: number;
  readonly depthMax: number;
  readonly attributesMax: number;
  /** Characters of one text, and of one name or attribute value. */
  readonly textMax: number;
}

export const XML_LIMITS: XmlLimits = {
  charactersMax: 256 * 1024 * 1024,
  depthMax: 64,
  attributesMax: 64,
  textMax: 64 * 1024,
};

export interface XmlName {
  /** Namespace; empty for none. */
  readonly uri: string;
  /** Without prefix. */
  readonly local: string;
}

export interface XmlAttribute extends XmlName {
  readonly value: string;
}

export type XmlEvent =
  | {
      readonly kind: 'open';
      readonly name: XmlName;
      readonly attributes: readonly XmlAttribute[];
      /** From 1. */
      readonly line: number;
    }
  /** Character data, with CDATA sections; one for each run between two tags. */
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'close'; readonly name: XmlName };

export interface XmlBad {
  readonly kind: 'bad';
  readonly why: string;
  readonly line: number;
}
export type XmlRead = { readonly kind: 'ok'; readonly events: readonly XmlEvent[] } | XmlBad;

/** Feeds on pieces of text; hands out the events that they complete. After a `bad` there is nothing more. */
export class XmlReader {
  readonly #limits: XmlLimits;
  readonly #parser: SaxesParser<{ xmlns: true; position: true }>;
  #events: XmlEvent[] = [];
  #bad: XmlBad | undefined;
  #characters = 0;
  #depth = 0;
  #attributes = 0;
  /** Of the tag that is being read: where it begins, not where its `>` is. */
  #tagLine = 1;
  #pending = '';

  constructor(limits: XmlLimits = XML_LIMITS) {
    this.#limits = limits;
    const parser = new SaxesParser({ xmlns: true, position: true });
    this.#parser = parser;
    parser.on('error', (error) => this.#refuse(plainReason(error.message)));
    parser.on('doctype', () => this.#refuse('a document type declaration is not accepted'));
    parser.on('opentagstart', () => {
      this.#tagLine = parser.line;
      this.#attributes = 0;
    });
    parser.on('attribute', ({ name, value }) => {
      this.#attributes++;
      if (this.#attributes > limits.attributesMax)
        this.#refuse(`an element has more than ${limits.attributesMax} attributes`);
      if (name.length > limits.textMax || value.length > limits.textMax) this.#refuse('an attribute is too long');
    });
    parser.on('opentag', (tag) => {
      this.#endText();
      this.#depth++;
      if (this.#depth > limits.depthMax) this.#refuse(`elements are nested more than ${limits.depthMax} deep`);
      if (this.#bad !== undefined) return;
      const attributes = Object.values(tag.attributes).map(({ uri, local, value }) => ({ uri, local, value }));
      this.#events.push({ kind: 'open', name: { uri: tag.uri, local: tag.local }, attributes, line: this.#tagLine });
    });
    parser.on('closetag', (tag) => {
      this.#endText();
      this.#depth--;
      if (this.#bad === undefined) this.#events.push({ kind: 'close', name: { uri: tag.uri, local: tag.local } });
    });
    parser.on('text', (text) => this.#text(text));
    parser.on('cdata', (text) => this.#text(text));
  }

  /** The events that `text` completes. */
  feed(text: string): XmlRead {
    if (this.#bad !== undefined) return this.#bad;
    this.#characters += text.length;
    if (this.#characters > this.#limits.charactersMax) this.#refuse('the document is too long');
    else this.#write(text);
    return this.#taken();
  }

  /** What is left at the end; `bad` when the document is not whole. */
  end(): XmlRead {
    if (this.#bad === undefined) this.#write(null);
    return this.#taken();
  }

  #write(text: string | null): void {
    try {
      if (text === null) this.#parser.close();
      else this.#parser.write(text);
    } catch (error) {
      // The parser throws where it cannot tell an error by its event: after one was told, and for names without namespace.
      this.#refuse(plainReason(error instanceof Error ? error.message : String(error)));
    }
  }

  #taken(): XmlRead {
    if (this.#bad !== undefined) return this.#bad;
    const events = this.#events;
    this.#events = [];
    return { kind: 'ok', events };
  }

  #text(text: string): void {
    if (this.#bad !== undefined || this.#depth === 0) return;
    this.#pending += text;
    if (this.#pending.length > this.#limits.textMax) this.#refuse('a text is too long');
  }

  #endText(): void {
    if (this.#pending !== '' && this.#bad === undefined) this.#events.push({ kind: 'text', text: this.#pending });
    this.#pending = '';
  }

  #refuse(why: string): void {
    this.#bad ??= { kind: 'bad', why, line: this.#parser.line };
    this.#pending = '';
  }
}

/** The whole document at once. */
export function readXml(text: string, limits: XmlLimits = XML_LIMITS): XmlRead {
  const reader = new XmlReader(limits);
  const events: XmlEvent[] = [];
  for (const read of [reader.feed(text.replace(/^\uFEFF/, '')), reader.end()]) {
    if (read.kind === 'bad') return read;
    for (const event of read.events) events.push(event);
  }
  return { kind: 'ok', events };
}

/** The parser's own words without the place that it puts in front. */
function plainReason(message: string): string {
  return message.replace(/^(?:[^:]*:)?\d+:\d+: /, '').replace(/\.$/, '');
}
