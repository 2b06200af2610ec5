/** A config beyond these is a mistake; a report beyond them is cut, and says so. */
export const MAX_BYTES = 1024 * 1024;
export const MAX_DEPTH = 64;
export const MAX_STREAMS = 1000;
export const MAX_PROBLEMS = 1000;
