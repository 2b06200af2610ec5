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

/** A key with a text, or a list, behind it. */
const MEMBER = /("((?:[^"\\\n]|\\.)*)"\s{0,100}:\s{0,100})("(?:[^"\\\n]|\\.)*|\[[^\]]*)/g;

/** The headers of requests, of which any may be a key, and one of them with its value. */
const HEADERS = /("headers"\s{0,100}:\s{0,100})(\{[^{}]*)/g;
const HEADER = /("(?:[^"\\\n]|\\.)*"\s{0,100}:\s{0,100}")((?:[^"\\\n]|\\.)*)/g;

/** Masks secrets in the text of a config, character for character, so that positions stay. Works on broken JSON too. */
export function maskSource(text: string): string {
  const starred = (_: string, head: string, secret: string): string => head + stars(secret);
  return text
    .replace(MEMBER, (whole: string, head: string, key: string, value: string) =>
      isSecretKey(key) ? head + maskTexts(value) : whole,
    )
    .replace(HEADERS, (_, head: string, block: string) => head + block.replace(HEADER, starred))
    .replace(PRIVATE_KEY, starred)
    .replace(CREDENTIALS, (_, head: string, user: string) => `${head}${stars(user)}@`)
    .replace(QUERY_SECRET, starred)
    .replace(SCHEME_SECRET, starred);
}

/** Masks what stands inside of quotes. */
function maskTexts(value: string): string {
  return value.replace(/"((?:[^"\\\n]|\\.)*)/g, (_, text: string) => `"${stars(text)}`);
}

function stars(text: string): string {
  return text.replace(/[^\r\n]/g, '*');
}
