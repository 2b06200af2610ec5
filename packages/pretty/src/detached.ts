/** V8 copies what is shorter: `SlicedString::kMinLength` in src/objects/string.h. */
const LEAST_SHARED_LENGTH = 13;

/**
 * A copy of a text that is to be kept. What is cut from a line shares the memory of the whole batch, which would live as long as the
 * shortest piece of it.
 */
export function detached(text: string): string {
  return text.length < LEAST_SHARED_LENGTH ? text : Buffer.from(text).toString();
}
