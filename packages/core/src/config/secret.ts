/** Keys whose values are never printed, wherever they stand. */
const SECRET_KEY =
  /pass(word|wd|phrase)?$|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|^authorization$|^(set-)?cookie$|credential|^auth$|^dsn$|connection[-_]?string/i;

export const MASK = '********';

export function isSecretKey(key: string): boolean {
  return SECRET_KEY.test(key);
}

/** Masks what a value shows of a secret by its own form: credentials in an URL, tokens in its query, bearer tokens. */
export function maskText(text: string): string {
  return text
    .replace(/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/?#@"]*@/gi, `$1${MASK}@`)
    .replace(/([?&][^=&#\s"]*(?:token|key|secret|pass(?:word)?|sig(?:nature)?)=)[^&#\s"]+/gi, `$1${MASK}`)
    .replace(/\b(bearer|basic)\s+[A-Za-z0-9+/=._~-]{4,}/gi, `$1 ${MASK}`);
}

/** Masks secrets in the text of a config, character for character, so that positions stay. Works on broken JSON too. */
export function maskSource(text: string): string {
  return text
    .replace(
      /("((?:[^"\\\n]|\\.)*)"\s*:\s*")((?:[^"\\\n]|\\.)*)/g,
      (whole: string, head: string, key: string, value: string) =>
        isSecretKey(key) ? head + stars(value) : whole,
    )
    .replace(
      /(\b[a-z][a-z0-9+.-]*:\/\/)([^\s/?#@"]*)@/gi,
      (_, head: string, user: string) => `${head}${stars(user)}@`,
    )
    .replace(
      /([?&][^=&#\s"]*(?:token|key|secret|pass(?:word)?|sig(?:nature)?)=)([^&#\s"]+)/gi,
      (_, head: string, value: string) => head + stars(value),
    )
    .replace(
      /\b((?:bearer|basic)\s+)([A-Za-z0-9+/=._~-]{4,})/gi,
      (_, head: string, value: string) => head + stars(value),
    );
}

function stars(text: string): string {
  return text.replace(/[^\r\n]/g, '*');
}
