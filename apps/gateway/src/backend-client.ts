import { messageOf } from '@treeline/contract';
import * as v from 'valibot';
import { readEvents } from './sse.ts';

/** What a client asks for, as the gateway passes it on. */
export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

/** Where the answer of a model comes from. */
export interface AnswerRequest {
  readonly backendUrl: string;
  readonly model: string;
  readonly messages: readonly ChatMessage[];
  /** How long the backend may say nothing before it is given up. */
  readonly idleTimeoutMs: number;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

const MAX_CAUSE_CHARS = 500;

export type BackendFailure = 'unreachable' | 'status' | 'timeout' | 'broken-stream';

/** A backend did not give the answer, or not all of it. `cause` is what happened underneath. */
export class BackendError extends Error {
  readonly failure: BackendFailure;
  /** The status that the backend answered with, where it did. */
  readonly status: number | undefined;

  constructor(failure: BackendFailure, message: string, options: { cause?: unknown; status?: number } = {}) {
    super(message, options);
    this.failure = failure;
    this.status = options.status;
  }
}

Object.defineProperty(BackendError.prototype, 'name', { value: 'BackendError', configurable: true });

const token = v.object({
  choices: v.tupleWithRest([v.object({ delta: v.object({ content: v.string() }) })], v.unknown()),
});

/**
 * The tokens of an answer as they arrive.
 *
 * @throws BackendError before the first token or in the middle; the reason of `signal` once that is aborted.
 */
export async function* streamAnswer(request: AnswerRequest): AsyncGenerator<string, void, undefined> {
  const idle = new IdleTimer(request.idleTimeoutMs);
  try {
    const body = await openAnswer(request, AbortSignal.any([request.signal, idle.signal]));
    for await (const event of readEvents(body)) {
      idle.restart();
      if (event.data === '[DONE]') return;
      yield v.parse(token, JSON.parse(event.data)).choices[0].delta.content;
      // The time that our own reader takes is not the backend's.
      idle.restart();
    }
    throw new BackendError(
      'broken-stream',
      `model ${request.model} ended its answer without saying that it was complete`,
    );
  } catch (error) {
    request.signal.throwIfAborted();
    if (error instanceof BackendError) throw error;
    if (idle.signal.aborted) {
      throw new BackendError(
        'timeout',
        `model ${request.model} said nothing for ${request.idleTimeoutMs} ms`,
        { cause: error },
      );
    }
    throw new BackendError(
      'broken-stream',
      `the answer of model ${request.model} broke off: ${messageOf(error)}`,
      { cause: error },
    );
  } finally {
    idle.stop();
  }
}

async function openAnswer(request: AnswerRequest, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
  const response = await post(request, signal);
  if (!response.ok) {
    const message = `model ${request.model} answered ${response.status}`;
    const cause = new Error(`it said ${await readStart(response.body ?? [])}`);
    throw new BackendError('status', message, { status: response.status, cause });
  }
  if (!response.body)
    throw new BackendError('broken-stream', `model ${request.model} answered without a body`);
  return response.body;
}

/** A backend that fails may say anything, at any length. */
async function readStart(body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > MAX_CAUSE_CHARS) return `${text.slice(0, MAX_CAUSE_CHARS)}… (cut)`;
  }
  return text;
}

async function post(request: AnswerRequest, signal: AbortSignal): Promise<Response> {
  try {
    return await fetch(`${request.backendUrl}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
      body: JSON.stringify({ model: request.model, messages: request.messages, stream: true }),
      signal,
    });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new BackendError('unreachable', `the backend at ${request.backendUrl} can't be reached`, {
      cause: error,
    });
  }
}

/** Aborts its signal when it has not been started again for a time. */
class IdleTimer {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;

  constructor(timeoutMs: number) {
    this.#timer = setTimeout(
      () => this.#controller.abort(new Error(`nothing came for ${timeoutMs} ms`)),
      timeoutMs,
    );
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  restart(): void {
    this.#timer.refresh();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
