import { StringDecoder } from 'node:string_decoder';

/** One event of a `text/event-stream`. https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream */
export interface ServerSentEvent {
  /** @default 'message' */
  readonly event?: string;
  readonly data: string;
}

const MAX_EVENT_CHARS = 1024 * 1024;

export function formatEvent({ event, data }: ServerSentEvent): string {
  const lines = data.split('\n').map((line) => `data: ${line}\n`);
  return `${event === undefined ? '' : `event: ${event}\n`}${lines.join('')}\n`;
}

/**
 * Reads events from a body as its chunks arrive. Comments, ids and retry times are passed over; an event that the end of the body
 * cuts off is not given out.
 *
 * @throws RangeError when an event grows beyond 1 Mi characters.
 */
export async function* readEvents(
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<ServerSentEvent, void, undefined> {
  let event: string | undefined;
  let data: string[] = [];
  let chars = 0;
  for await (const line of readLines(body)) {
    if (line === '') {
      if (data.length > 0) yield { ...(event !== undefined && { event }), data: data.join('\n') };
      event = undefined;
      data = [];
      chars = 0;
      continue;
    }
    chars += line.length;
    refuseOversize(chars);
    const [name, value] = splitField(line);
    if (name === 'event') event = value;
    else if (name === 'data') data.push(value);
  }
}

function splitField(line: string): [name: string, value: string] {
  const colon = line.indexOf(':');
  if (colon === -1) return [line, ''];
  return [line.slice(0, colon), line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)];
}

/** Lines end with CR, LF or both, and a chunk may end anywhere, also between a CR and its LF. */
async function* readLines(body: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, undefined> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  let endedWithCr = false;
  for await (const chunk of body) {
    let text = decoder.write(chunk);
    if (text === '') continue;
    if (endedWithCr && text.startsWith('\n')) text = text.slice(1);
    endedWithCr = text === '' ? endedWithCr : text.endsWith('\r');
    const lines = (rest + text).split(/\r\n|\r|\n/u);
    rest = lines.pop() ?? '';
    refuseOversize(rest.length);
    yield* lines;
  }
}

function refuseOversize(chars: number): void {
  if (chars > MAX_EVENT_CHARS)
    throw new RangeError(`an event must be at most ${MAX_EVENT_CHARS} characters; got more`);
}
