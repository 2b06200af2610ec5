/** A command line, or a file of options, that can't be understood; the message is for people. */
export class UsageError extends Error {}
