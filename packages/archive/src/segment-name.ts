/** What the name of an archive's file says, so that files that can't match a question are not opened. */
export interface SegmentName {
  /** The first eight digits of the store's id. */
  readonly store: string;
  /** 1, 2, 3 … per store and folder. */
  readonly segment: number;
  /** Unix milliseconds of the oldest and the newest row. */
  readonly firstMs: number;
  readonly lastMs: number;
}

export const DATA_SUFFIX = '.jsonl.gz';
export const MANIFEST_SUFFIX = '.manifest.json';
export const PARTIAL_SUFFIX = '.tmp';

const TIME = String.raw`(?:\d{4}|[+-]\d{6})-\d\d-\d\dT\d{6}\.\d{3}Z`;
const NAME = new RegExp(`^logs-([0-9a-f]{8})-(\\d{6,15})-(${TIME})_(${TIME})$`);

export function storePrefix(storeId: string): string {
  return storeId.slice(0, 8);
}

/** `logs-1f6e0c2a-000003-2026-01-01T000000.000Z_2026-01-31T235959.999Z`, without a suffix. */
export function formatSegmentName({ store, segment, firstMs, lastMs }: SegmentName): string {
  return `logs-${store}-${String(segment).padStart(6, '0')}-${formatTime(firstMs)}_${formatTime(lastMs)}`;
}

/** Reads a name without its suffix; undefined where it is none of ours. */
export function parseSegmentName(name: string): SegmentName | undefined {
  const [, store = '', segment, first = '', last = ''] = NAME.exec(name) ?? [];
  const parsed = { store, segment: Number(segment), firstMs: parseTime(first), lastMs: parseTime(last) };
  const { segment: number, firstMs, lastMs } = parsed;
  return [number, firstMs, lastMs].every(Number.isSafeInteger) ? parsed : undefined;
}

/** Colons are not for file names everywhere. */
function formatTime(ms: number): string {
  return new Date(ms).toISOString().replaceAll(':', '');
}

function parseTime(text: string): number {
  return Date.parse(text.replace(/T(\d\d)(\d\d)(\d\d)/, 'T$1:$2:$3'));
}
