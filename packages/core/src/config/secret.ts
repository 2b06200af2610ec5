/** Keys whose values are never printed, wherever they stand. */
const SECRET_KEY =
  /pass(word|wd|phrase)?$|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|^authorization$|^(set-)?cookie$|credential|^auth$|^dsn$|connection[-_]?string|^headers$/i;

export const MASK = '********';

export function isSecretKey(key: string): boolean {
  return SECRET_KEY.test(key);
}

/** What a value shows of a secret by its own form. All are bounded: a config is input like any other. */
const CREDENTIALS = /(\b[a-z][a-z0-9+.-]{0,20}:\/\/)([^\s/?#@"]{0,500})@/gi;
const QUERY_SECRET = /([?&][^?=&#\s"]{0,64}(?:token|key|secret|pass(?:word)?|sig(?:nature)?)=)([^&#\s"]+)/gi;
const SCHEME_SECRET = /\b((?:bearer|basic)\s{1,5})([A-Za-z0-9+/=._~-]{4,})/gi;

const PRIVATE_KEY = /(-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----)([^"]*)/g;

/** Masks what a value shows of a secret: credentials in an URL, tokens in its query, bearer tokens. */
export function maskText(text: string): string {
  return text
    .replace(CREDENTIALS, `$1${MASK}@`)
    .replace(QUERY_SECRET, `$1${MASK}`)
    .replace(SCHEME_SECRET, `$1${MASK}`)
    .replace(PRIVATE_KEY, `$1${MASK}`);
}

/** A key with its colon. */
const MEMBER = /"((?:[^"\\\n]|\\.)*)"\s{0,100}:\s{0,100}/g;

/** What a value is made of: a text, perhaps without its end, a bracket, or a number or word. */
const TOKEN = /"(?:[^"\\\n]|\\.)*"?|[[\]{}]|[^\s"[\]{},:]+/g;

/** The headers of requests, of which any may be a key, and one of them with its value. */
const HEADERS = /("headers"\s{0,100}:\s{0,100})(\{[^{}]*)/g;
const HEADER = /("(?:[^"\\\n]|\\.)*"\s{0,100}:\s{0,100}")((?:[^"\\\n]|\\.)*)/g;

/** Masks secrets in the text of a config, character for character, so that positions stay. Works on broken JSON too. */
export function maskSource(text: string): string {
  const starred = (_: string, head: string, secret: string): string => head + stars(secret);
  return maskMembers(text)
    .replace(HEADERS, (_, head: string, block: string) => head + block.replace(HEADER, starred))
    .replace(PRIVATE_KEY, starred)
    .replace(CREDENTIALS, (_, head: string, user: string) => `${head}${stars(user)}@`)
    .replace(QUERY_SECRET, starred)
    .replace(SCHEME_SECRET, starred);
}

/** Masks the values of secret keys, whatever they are: of objects and lists all that stands in them, but for the keys. */
function maskMembers(text: string): string {
  let result = '';
  let done = 0;
  for (const { 0: head, 1: key = '', index } of text.matchAll(MEMBER)) {
    if (index < done || !isSecretKey(key)) continue;
    const start = index + head.length;
    const end = endOfValue(text, start);
    result += text.slice(done, start) + maskValue(text.slice(start, end));
    done = end;
  }
  return result + text.slice(done);
}

/** Where a value ends; an object or list without its end takes the rest of the text. */
function endOfValue(text: string, start: number): number {
  let depth = 0;
  TOKEN.lastIndex = start;
  for (let token = TOKEN.exec(text); token; token = TOKEN.exec(text)) {
    const [word] = token;
    if (word === '{' || word === '[') depth++;
    else if (word === '}' || word === ']') depth--;
    // A value that is missing: what comes is its parent's end.
    if (depth < 0) return token.index;
    if (depth === 0) return token.index + word.length;
  }
  return text.length;
}

function maskValue(value: string): string {
  return value.replace(TOKEN, (word, at: number) => {
    if (
      /^(?:[[\]{}]|true|false|null)$/.test(word) ||
      /^\s{0,100}:/.test(value.slice(at + word.length, at + word.length + 101))
    )
      return word;
    return word.replace(/[^"\r\n]|(?<!^)"(?!$)/g, '*');
  });
}

function stars(text: string): string {
  return text.replace(/[^\r\n]/g, '*');
}
