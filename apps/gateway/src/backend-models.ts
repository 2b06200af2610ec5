import * as v from 'valibot';

const every = v.pipe(v.number(), v.integer(), v.minValue(1));
const delayMs = v.pipe(v.number(), v.minValue(0), v.maxValue(600_000));
const count = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(100_000));

/** How a model fails, and how often: each `every`-th request. */
const failure = v.variant('kind', [
  v.strictObject({
    kind: v.literal('status'),
    status: v.pipe(v.number(), v.minValue(400), v.maxValue(599)),
    every,
  }),
  /** Takes the request and never answers. */
  v.strictObject({ kind: v.literal('silence'), every }),
  /** Cuts the connection in the middle of the answer. */
  v.strictObject({ kind: v.literal('broken-stream'), afterTokens: count, every }),
]);

const model = v.strictObject({
  firstTokenDelayMs: v.optional(delayMs, 0),
  tokenDelayMs: v.optional(delayMs, 0),
  tokens: v.optional(count, 16),
  failure: v.optional(failure),
});

/** The schema of a backend's config file. */
export const backendConfig = v.strictObject({ models: v.record(v.string(), model) });

export type BackendModel = v.InferOutput<typeof model>;
export type BackendModels = Readonly<Record<string, BackendModel>>;
