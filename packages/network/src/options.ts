import { parseBytes, parseDuration, parserAction } from '@treeline/contract';
import * as v from 'valibot';

/** The longest that setTimeout waits in milliseconds, and more bytes than any server takes at once. */
const MAX = 2 ** 31 - 1;

/** A text or number for one of contract's unit parsers, within bounds. */
function unit(parse: (value: number | string) => number, least: number, rule: string, description: string) {
  return v.pipe(
    v.union(
      [v.number(), v.string()],
      (issue) => `must be a number or a text with a unit; got ${issue.received}`,
    ),
    v.description(description),
    v.rawTransform(parserAction(parse)),
    v.check(
      (parsed) => parsed >= least && parsed <= MAX,
      (issue) => `${rule}; got ${issue.received}`,
    ),
  );
}

const size = (description: string) => unit(parseBytes, 1, 'must be from 1 byte to 2G', description);
const duration = (description: string, leastMs = 0) =>
  unit(parseDuration, leastMs, `must be from ${leastMs} ms to 24 days`, description);

function filled(description: string) {
  return v.pipe(
    v.string((issue) => `must be a text; got ${issue.received}`),
    v.nonEmpty('must not be empty; got ""'),
    v.check((value) => !value.includes('\0'), 'must not hold a null character'),
    v.description(description),
  );
}

function choice<const Words extends readonly [string, ...string[]]>(words: Words, description: string) {
  return v.pipe(
    v.picklist(words, (issue) => `must be one of ${words.join(', ')}; got ${issue.received}`),
    v.description(description),
  );
}

function count(description: string) {
  const rule = 'must be a whole number from 1';
  return v.pipe(
    v.number((issue) => `${rule}; got ${issue.received}`),
    v.integer((issue) => `${rule}; got ${issue.received}`),
    v.minValue(1, (issue) => `${rule}; got ${issue.received}`),
    v.description(description),
  );
}

function objectMistake(issue: v.StrictObjectIssue): string {
  if (issue.expected === 'never') return 'is no option here';
  return issue.expected === 'Object' ? `must be an object; got ${issue.received}` : 'must be given';
}

/** What is wrong with an address. Never quotes it: it may hold a password. */
function urlMistake(text: string): string | undefined {
  if (/[\u0000-\u001f\u007f]/.test(text)) return 'must have no line breaks or other control characters';
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return 'must be an address like "http://log-collector:8080/logs"';
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    return `must begin with http:// or https://; got ${url.protocol}`;
  if (url.username !== '' || url.password !== '')
    return 'must not hold a user or password, which would show in messages: put them into headers, as "authorization"';
  return url.hash === '' ? undefined : 'must not have a fragment (#…): no server would see it';
}

/** https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2 */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const HEADER_VALUE = /^[\t\u0020-\u007e\u0080-\u00ff]*$/;

/** These follow from the body and the connection. */
const OWN_HEADERS = new Set([
  'connection',
  'content-encoding',
  'content-length',
  'expect',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
]);

function headerMistake(name: string, value: string): string | undefined {
  if (!HEADER_NAME.test(name))
    return `must have a name of letters, digits and -; got ${JSON.stringify(name)}`;
  if (OWN_HEADERS.has(name.toLowerCase())) return 'must not be set: it follows from the request';
  return HEADER_VALUE.test(value) ? undefined : 'must have no line breaks or other control characters';
}

/** https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-indices-create: lower case, no wildcards, no separators. */
function indexMistake(name: string): string | undefined {
  const isAllowed =
    /^[^\s\u0000-\u001f\\/*?"<>|,#:A-Z]+$/.test(name) && !/^[-_+]/.test(name) && !/^\.{1,2}$/.test(name);
  if (isAllowed && Buffer.byteLength(name) <= 255) return undefined;
  return `must be the name of a data stream or index, in lower case, like "logs-shop-default"; got ${JSON.stringify(name.slice(0, 80))}`;
}

function without(mistakeIn: (value: string) => string | undefined) {
  return v.rawCheck<string>(({ dataset, addIssue }) => {
    const message = dataset.typed ? mistakeIn(dataset.value) : undefined;
    if (message !== undefined) addIssue({ message });
  });
}

const headers = v.pipe(
  v.record(
    v.string(),
    v.string((issue) => `must be a text; got ${issue.received}`),
    (issue) => `must be an object of texts; got ${issue.received}`,
  ),
  v.description('Sent with each request; the place for an "authorization". Values never show in messages.'),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const seen = new Set<string>();
    for (const [key, value] of Object.entries(dataset.value)) {
      const lower = key.toLowerCase();
      const message = seen.has(lower)
        ? 'must stand once: names of headers are the same in upper and lower case'
        : headerMistake(key, value);
      seen.add(lower);
      const path = [{ type: 'object', origin: 'value', input: dataset.value, key, value }] as const;
      if (message !== undefined) addIssue({ message, path: [...path] });
    }
  }),
);

const tls = v.pipe(
  v.strictObject(
    {
      ca: v.optional(filled('The certificates of the authorities to trust, instead of the known ones.')),
      cert: v.optional(filled('The certificate that this client shows.')),
      key: v.optional(filled('Its private key.')),
    },
    objectMistake,
  ),
  v.check(
    ({ cert, key }) => (cert === undefined) === (key === undefined),
    'must have both cert and key, or neither',
  ),
  v.description(
    'Certificates: PEM text, or the path of a PEM file, which is read at each connection, so that it may be renewed.',
  ),
);

const retry = v.pipe(
  v.strictObject(
    {
      minMs: v.optional(
        duration('The first wait is somewhere between 0 and this, each further one twice as long.', 1),
        500,
      ),
      maxMs: v.optional(duration('No wait is longer.', 1), 30_000),
      holdMs: v.optional(
        duration(
          'The first wait after an answer that needs a person: 401, 403, a certificate, a redirect. Doubles up to ten times this.',
          1,
        ),
        30_000,
      ),
    },
    objectMistake,
  ),
  v.check(
    ({ minMs, maxMs }) => minMs <= maxMs,
    (issue) =>
      `must have a minMs up to maxMs; got ${(issue.input as { minMs: number }).minMs} and ${(issue.input as { maxMs: number }).maxMs}`,
  ),
  v.description('How long to wait between attempts, of which there is no end.'),
);

const batch = v.pipe(
  v.strictObject(
    {
      maxBytes: v.optional(size('A batch goes when it holds so many bytes.')),
      maxRecords: v.optional(count('A batch goes when it holds so many records.')),
      maxDelayMs: v.optional(duration('The longest time that a record waits for others.')),
    },
    objectMistake,
  ),
  v.description('How records are gathered into requests.'),
);

const PROTOCOLS = ['http', 'elasticsearch'] as const;

/** Which options belong to one protocol alone. */
const ONLY_FOR = { method: 'http', format: 'http', idField: 'http', index: 'elasticsearch' } as const;

/** What a network stream accepts. Parsing what was parsed before changes nothing. */
export const options = v.pipe(
  v.strictObject(
    {
      url: v.pipe(
        filled('Where to send: http:// or https://, without user and password.'),
        without(urlMistake),
      ),
      protocol: v.optional(
        choice(
          PROTOCOLS,
          'What the server understands: "http" (a body of lines), or "elasticsearch" (_bulk of Elasticsearch and OpenSearch).',
        ),
        'http',
      ),
      method: v.optional(choice(['POST', 'PUT'], 'The method of the requests ("POST"). For http.')),
      headers: v.optional(headers, {}),
      format: v.optional(
        choice(
          ['ndjson', 'json'],
          'The body: a line for each record ("ndjson", the default), or one array ("json"). For http.',
        ),
      ),
      idField: v.optional(
        v.pipe(
          filled(
            'A field to put into each record, with an id that is the same whenever the record is sent again. For http.',
          ),
          v.regex(/^[\u0020-\u007e]*$/, 'must be of ASCII characters'),
        ),
      ),
      index: v.optional(
        v.pipe(
          filled('The data stream or index to create documents in. For elasticsearch.'),
          without(indexMistake),
        ),
      ),
      compress: v.optional(choice(['none', 'gzip'], 'How bodies are compressed.'), 'none'),
      timeout: v.optional(
        duration('How long one request may take, from connecting to the end of the answer.', 1),
        30_000,
      ),
      tls: v.optional(tls),
      retry: v.optional(retry, {}),
      shutdown: v.optional(
        v.pipe(
          v.strictObject(
            {
              timeout: v.optional(
                duration('How long a request under way may still take when the stream is closed.'),
                500,
              ),
            },
            objectMistake,
          ),
          v.description('What happens at the end.'),
        ),
        {},
      ),
      bufferSize: v.optional(count('Short for batch.maxRecords.')),
      flushInterval: v.optional(duration('Short for batch.maxDelayMs.')),
      batch: v.optional(batch),
    },
    objectMistake,
  ),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const { value } = dataset;
    const report = (key: keyof typeof ONLY_FOR, message: string): void =>
      addIssue({
        message,
        path: [{ type: 'object', origin: 'value', input: value, key, value: value[key] }],
      });
    for (const [key, protocol] of Object.entries(ONLY_FOR) as [keyof typeof ONLY_FOR, string][])
      if (value[key] !== undefined && value.protocol !== protocol)
        report(key, `must not be set where the protocol is ${value.protocol}`);
    if (value.protocol === 'elasticsearch' && value.index === undefined)
      report('index', 'must be given: the data stream or index to write to, like "logs-shop-default"');
  }),
);

/** A network stream's options as a program or config writes them. */
export type NetworkOptions = v.InferInput<typeof options>;

/** The options after parsing: sizes in bytes, times in milliseconds. */
export type ParsedNetworkOptions = v.InferOutput<typeof options>;
