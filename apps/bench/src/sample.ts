/** What a gateway logs: some 300 bytes, a third of the records with the id of a business object. */
export interface Sample {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly fields: Readonly<Record<string, unknown>>;
  readonly msg: string;
}

const LEVELS = ['debug', 'info', 'info', 'info', 'info', 'info', 'info', 'warn', 'error'] as const;
const TYPES = ['http.request', 'http.response', 'job', 'cache'];

let random = 42;

function hex(digits: number): string {
  let text = '';
  while (text.length < digits) {
    random = (random * 16_807) % 2_147_483_647;
    text += random.toString(16);
  }
  return text.slice(0, digits);
}

export function sample(index: number): Sample {
  return {
    level: LEVELS[index % LEVELS.length] ?? 'info',
    fields: {
      type: TYPES[index % TYPES.length],
      ...(index % 3 === 0 ? { ref_id: `ord_${hex(8)}` } : {}),
      req_id: hex(12),
      method: 'GET',
      url: `/v1/orders/${index}`,
      userId: index % 1000,
      durationMs: (index % 300) + 0.5,
      ctx: { region: 'eu-1', retry: 0, tags: ['a', 'b'] },
    },
    msg: `request completed in ${index % 300} ms for customer ${index % 77}`,
  };
}

const LEVEL_NUMBERS = { debug: 20, info: 30, warn: 40, error: 50 };

/** The same as the line that pino would write at a time. */
export function sampleLine(index: number, timeMs: number, source = 'gateway'): string {
  const { level, fields, msg } = sample(index);
  return `${JSON.stringify({ level: LEVEL_NUMBERS[level], time: timeMs, pid: 4321, hostname: 'host-1', name: source, ...fields, msg })}\n`;
}
