import type { TreelineLogger } from '@treeline/core';
import { BackendError, streamAnswer, type AnswerRequest } from './backend-client.ts';

/** An answer whose first token has come: from here on it belongs to one model. */
export interface StartedAnswer {
  readonly model: string;
  /** All tokens, the first included. */
  readonly tokens: AsyncIterable<string>;
}

/** No model of a route gave an answer. `cause` is what the last one failed with. */
class NoAnswerError extends Error {
  /** What the client is told. */
  readonly statusCode: 502 | 504;

  constructor(route: string, attempts: number, last: BackendError) {
    super(`no model of route ${route} answered (${attempts} tried)`, { cause: last });
    this.statusCode = last.failure === 'timeout' ? 504 : 502;
  }
}

Object.defineProperty(NoAnswerError.prototype, 'name', { value: 'NoAnswerError', configurable: true });

/**
 * Asks the models of a route in order until one begins to answer.
 *
 * @throws NoAnswerError when none does.
 */
export async function startAnswer(
  route: string,
  models: readonly string[],
  request: Omit<AnswerRequest, 'model'>,
  log: TreelineLogger,
): Promise<StartedAnswer> {
  let last: BackendError | undefined;
  for (const [index, model] of models.entries()) {
    using asking = log.startSpan('ask', { model });
    const tokens = asking.run(() => streamAnswer({ ...request, model }));
    try {
      const first = await asking.run(() => tokens.next());
      asking.run(() => log.debug({ model }, 'the model began to answer'));
      return { model, tokens: withFirst(first, tokens) };
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      last = error;
      const next = models[index + 1];
      if (next !== undefined)
        asking.run(() => log.warn({ err: error, model, next }, `model ${model} failed, asking ${next}`));
    }
  }
  if (!last) throw new RangeError(`the models of route ${route} must be at least one; got none`);
  throw new NoAnswerError(route, models.length, last);
}

async function* withFirst(
  first: IteratorResult<string, void>,
  rest: AsyncGenerator<string, void, undefined>,
): AsyncGenerator<string, void, undefined> {
  if (first.done) return;
  yield first.value;
  yield* rest;
}
