/** A value as JSON; what is nested too deeply for JSON.stringify is named instead. */
export function jsonText(value: unknown): string {
  try {
    return JSON.stringify(value) ?? '';
  } catch {
    return '"[nested too deeply]"';
  }
}

/** A value as plain text: strings as they are, anything else as its JSON. */
export function plainText(value: unknown): string {
  return typeof value === 'string' ? value : jsonText(value);
}
