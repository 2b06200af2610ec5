import { symbols } from 'pino';

/** pino's places in a logger, which it exports for packages that build on it; its types leave some out. */
const all = symbols as unknown as Readonly<Record<string, symbol>>;

export const asJsonSym: unique symbol = all['asJsonSym'] as never;
export const levelValSym: unique symbol = all['levelValSym'] as never;
export const mixinSym: unique symbol = all['mixinSym'] as never;
export const needsMetadataSym: unique symbol = all['needsMetadataGsym'] as never;
export const setLevelSym: unique symbol = all['setLevelSym'] as never;
export const streamSym: unique symbol = all['streamSym'] as never;
export const writeSym: unique symbol = all['writeSym'] as never;
