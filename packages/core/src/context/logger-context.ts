import type { Logger } from 'pino';
import { requireBuilt } from '../built-file.ts';
import type { Features, PipelineConfig } from '../config/config.ts';
import type { ErrorLog } from '../errors/error-log.ts';
import { serializeError } from '../errors/serialize-error.ts';
import type { LogCallHooks } from '../guard.ts';
import type { LevelControl } from '../levels/level-control.ts';
import type { RequestStats, RequestTracker } from '../requests/request-tracker.ts';
import { hasTracerProvider } from './otel-global.ts';
import type { SpanStats } from './span.ts';
import type { SpanTracker } from './span-tracker.ts';

const MAX_ERROR_HISTORY = 100;

/** The context of one logger and its children: made with it, and loaded as far as it is used. */
export class LoggerContext {
  /** Undefined where `errorLogging` is off. */
  readonly errors: ErrorLog | undefined;
  /** Called before the logger closes, while it still takes lines. */
  readonly beforeClose = new Set<() => void>();
  readonly #root: Logger;
  readonly #config: PipelineConfig;
  readonly #levels: LevelControl;
  readonly #hooks: LogCallHooks;
  #tracker: SpanTracker | undefined;
  #requests: RequestTracker | undefined;

  constructor(root: Logger, config: PipelineConfig, levels: LevelControl, hooks: LogCallHooks) {
    this.#root = root;
    this.#config = config;
    this.#levels = levels;
    this.#hooks = hooks;
    this.errors = this.#loadErrors();
    this.refresh();
    // Lines carry the ids of spans that others start, too.
    if (hasTracerProvider()) this.#loadTracker();
  }

  /** The serializer of errors in lines. */
  serializeError(value: unknown): unknown {
    return this.errors ? this.errors.serialize(value) : serializeError(value);
  }

  /** The spans' side, loaded with the first that asks for it. */
  get tracker(): SpanTracker {
    return this.#tracker ?? this.#loadTracker();
  }

  /** The spans' side, if there have been any, be they OpenTelemetry's. */
  get usedTracker(): SpanTracker | undefined {
    return this.#tracker ?? (hasTracerProvider() ? this.#loadTracker() : undefined);
  }

  /** The requests' side, if a server uses it. */
  get usedRequests(): RequestTracker | undefined {
    return this.#requests;
  }

  /** Undefined where `streamTracking` is off. */
  get streamTracking(): Features['streamTracking'] {
    return this.#config.features?.streamTracking;
  }

  /** The requests' side; undefined where `requestTracking` is off. */
  get requests(): RequestTracker | undefined {
    const settings = this.#config.features?.requestTracking;
    if (!settings || this.#requests) return this.#requests;
    const loaded = requireBuilt('requests/loader.js') as typeof import('../requests/loader.ts');
    const requests = new loaded.RequestTracker(this.tracker, this.#root, settings);
    this.#hooks.absorbs = (args) => requests.absorbs(args);
    this.#requests = requests;
    return requests;
  }

  /** To be called when levels or directives have changed. */
  refresh(): void {
    const tracker = this.#tracker;
    const levels = this.#levels;
    if (levels.isDynamic || (tracker && this.#config.sampling))
      this.#hooks.admits = tracker
        ? (logger, level) => tracker.admits(logger, level)
        : (logger, level) => levels.admits(logger, level);
    else delete this.#hooks.admits;
  }

  /** For `logger.stats()`: what has been used. */
  stats(): { readonly spans?: SpanStats; readonly requests?: RequestStats } {
    return {
      ...(this.#tracker && { spans: this.#tracker.stats() }),
      ...(this.#requests && { requests: this.#requests.stats() }),
    };
  }

  #loadTracker(): SpanTracker {
    const loaded = requireBuilt('context/loader.js') as typeof import('./loader.ts');
    const tracker = new loaded.SpanTracker({
      root: this.#root,
      levels: this.#levels,
      ...(this.#config.sampling && { sampling: this.#config.sampling }),
      serializeError: (error, level, span) =>
        this.errors ? this.errors.serializeFor(error, level, span) : serializeError(error),
    });
    this.#tracker = tracker;
    this.#levels.admitsHere = (logger, level) => tracker.admits(logger, level);
    this.refresh();
    return tracker;
  }

  #loadErrors(): ErrorLog | undefined {
    const settings = this.#config.features?.errorLogging;
    if (!settings) return undefined;
    const loaded = requireBuilt('errors/loader.js') as typeof import('../errors/loader.ts');
    const { redact } = this.#config;
    const mask = redact && loaded.compileRedact([redact]);
    const errors = new loaded.ErrorLog({
      ...(mask && { redact: (fields) => JSON.parse(mask(JSON.stringify(fields))) as typeof fields }),
      maxHistorySize: settings.maxHistorySize ?? MAX_ERROR_HISTORY,
      enableStatistics: settings.enableStatistics ?? true,
      currentIds: () => this.#tracker?.currentParent(),
    });
    this.#hooks.observe = (_logger, args, level) => errors.observe(args, level);
    return errors;
  }
}
