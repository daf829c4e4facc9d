/**
 * The failover link as an independent reader sees it: captured with dumpcap, read with tshark's `dhcpfo` dissector. It says which frames
 * of one side it finds fault with, and whether that side kept to the rules of the talk that only a whole connection shows.
 */
import type { ChildProcess } from 'node:child_process';
import { closeSync, existsSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { eventually } from '../../support/eventually.ts';
import { LINK, LINK_ADDRESSES } from '../../support/namespace-pair.ts';
import { type Host, runIn, startIn } from '../../support/network.ts';

const READY_MS = 20_000;
const END_MS = 30_000;
/** Wireshark's PI_ERROR. */
const SEVERITY_ERROR = 0x00800000;
const WHAT = 'tcp port 647 or udp port 9';
/** Sent last, to the discard port: when it is in the file, so is all that went before it. */
const END_MARK = 'end of the capture';
const END_PORT = 9;
const MARK_MS = 3000;
const MARKS_MAX = 10;
/** What may follow the mark before it is looked for. */
const TAIL_BYTES = 256 * 1024;

/** Failover specification 1.4. */
export const MESSAGE_CODES = { poolreq: 1, poolresp: 2, bndupd: 3, bndack: 4, connect: 5, connectack: 6 } as const;

export interface Message {
  /** One TCP connection. */
  readonly stream: string;
  /** Address of the sender. */
  readonly from: string;
  readonly type: number;
  readonly xid: string;
  /** In CONNECT and CONNECTACK: unanswered updates that the sender takes. */
  readonly maxUnacked: number | undefined;
}

export interface FrameReport {
  readonly messages: readonly Message[];
  /** Frames of the judged side with a malformed mark or an error, and what it did against the rules of the talk. */
  readonly wrong: readonly string[];
}

export class LinkCapture {
  readonly #host: Host;
  readonly #path: string;
  readonly #child: ChildProcess;

  private constructor(host: Host, path: string, child: ChildProcess) {
    this.#host = host;
    this.#path = path;
    this.#child = child;
  }

  /** What the host sends and hears on its link to the partner, while the link is up on this side. */
  static async open(host: Host, path: string): Promise<LinkCapture> {
    const child = startIn(host, ['dumpcap', '-q', '-i', LINK, '-f', WHAT, '-w', path]);
    await eventually('dumpcap captures', READY_MS, () => {
      if (child.exitCode !== null) throw new Error('dumpcap ended');
      return existsSync(path) && statSync(path).size > 0 ? true : undefined;
    });
    return new LinkCapture(host, path, child);
  }

  /** Ends the capture and looks at what that address sent. */
  async judge(sender: string): Promise<FrameReport> {
    await this.#end();
    const bad = await this.#read(
      `ip.src == ${sender} && dhcpfo && (_ws.malformed || _ws.expert.severity >= ${SEVERITY_ERROR} || dhcpfo.bad_length || dhcpfo.message_digest_type_not_allowed)`,
      ['frame.number', 'dhcpfo.type', '_ws.expert.message'],
    );
    const fields = ['tcp.stream', 'ip.src', 'dhcpfo.type', 'dhcpfo.xid', 'dhcpfo.maxunackedbndupd'];
    const messages = (await this.#read('dhcpfo', fields)).flatMap(messagesOf);
    return {
      messages,
      wrong: [...bad.map((line) => `tshark finds fault with frame ${line}`), ...breaches(messages, sender)],
    };
  }

  async #end(): Promise<void> {
    if (this.#child.exitCode !== null) throw new Error('the capture ended before its time');
    const ended = new Promise<void>((resolve) => this.#child.once('exit', () => resolve()));
    await this.#mark();
    this.#child.kill('SIGTERM');
    await ended;
  }

  /** A capture on a busy machine may drop a packet: the mark is sent until it is seen. */
  async #mark(): Promise<void> {
    for (let sent = 1; ; sent++) {
      await runIn(this.#host, ['bash', '-c', `printf '${END_MARK}' > /dev/udp/${LINK_ADDRESSES[1]}/${END_PORT}`]);
      const seen = eventually('the capture is written', MARK_MS, () =>
        tailOf(this.#path).includes(END_MARK) ? true : undefined,
      );
      if (await seen.catch(() => false)) return;
      if (sent === MARKS_MAX) throw new Error('the end of the capture was not written');
    }
  }

  async #read(filter: string, fields: readonly string[]): Promise<string[]> {
    const wanted = fields.flatMap((field) => ['-e', field]);
    const command = [
      'tshark',
      '-n',
      '-r',
      this.#path,
      '-d',
      'tcp.port==647,dhcpfo',
      '-Y',
      filter,
      '-T',
      'fields',
      ...wanted,
    ];
    const output = await runIn(this.#host, command, { timeoutMs: END_MS });
    return output.split('\n').filter((line) => line !== '' && !line.startsWith('Running as user'));
  }
}

/** One line is one frame, which may hold several messages. */
function messagesOf(line: string): Message[] {
  const [stream = '', from = '', types = '', xids = '', maxUnacked = ''] = line.split('\t');
  const each = xids.split(',');
  return types.split(',').map((type, index) => ({
    stream,
    from,
    type: Number(type),
    xid: each[index] ?? '',
    maxUnacked: maxUnacked === '' ? undefined : Number(maxUnacked),
  }));
}

/**
 * Failover specification 1.10 and 2.14 rule 3: never more unanswered updates than the partner takes, and one answer to each of the
 * partner's updates, in the order in which they came.
 */
export function breaches(messages: readonly Message[], sender: string): string[] {
  const { bndupd, bndack, connect, connectack } = MESSAGE_CODES;
  const found = new Set<string>();
  const streams = new Map<string, { window: number; unanswered: Set<string>; toAnswer: string[] }>();
  for (const { stream, from, type, xid, maxUnacked } of messages) {
    const talk = streams.get(stream) ?? { window: 0, unanswered: new Set<string>(), toAnswer: [] };
    streams.set(stream, talk);
    const isSender = from === sender;
    if ((type === connect || type === connectack) && !isSender) talk.window = maxUnacked ?? 0;
    else if (type === bndupd && isSender) {
      talk.unanswered.add(xid);
      if (talk.unanswered.size > talk.window) found.add(`more than ${talk.window} updates are unanswered`);
    } else if (type === bndack && !isSender) talk.unanswered.delete(xid);
    else if (type === bndupd) talk.toAnswer.push(xid);
    else if (type === bndack && talk.toAnswer.shift() !== xid)
      found.add('an update is answered out of order, or twice');
  }
  return [...found];
}

function tailOf(path: string): string {
  const fd = openSync(path, 'r');
  try {
    const tail = Buffer.alloc(TAIL_BYTES);
    const length = readSync(fd, tail, 0, TAIL_BYTES, Math.max(0, fstatSync(fd).size - TAIL_BYTES));
    return tail.toString('latin1', 0, length);
  } finally {
    closeSync(fd);
  }
}
