import { runInContext, runInThisContext, type Context } from 'node:vm';

/** The name under which the bridge's own frames stand in stacks. */
export const BRIDGE_FILE = 'treeline:script-log';

/** As much of a level that is none as an error message shows. */
const SHOWN_LEVEL_CHARS = 40;

/**
 * What hosted code gets, compiled in its own realm: `log` and every error that it throws are made there, of that realm's classes, so that
 * nothing of the host's can be reached through them. It uses what it has captured when it was made, and nothing that a script could have
 * replaced since. Any call of the host may end in an error of the host's, where the stack is too short for it: none is made outside a
 * `try`, and what it throws is not let out.
 *
 * An error made with a stack would hand the host's call sites to the realm's `Error.prepareStackTrace`: it is made without, and gets
 * the script's own frames as a text.
 */
const FACTORY = `(function (post, scriptStack) {
  'use strict';
  const { TypeError, RangeError, Error } = globalThis;
  const { defineProperty, freeze } = Object;
  const { prototype: typePrototype } = TypeError;
  const { prototype: rangePrototype } = RangeError;
  const { create } = Object;
  const { apply } = Reflect;
  const { slice } = String.prototype;
  const { stringify } = JSON;

  function withoutStack(Class, prototype, message) {
    let before, error;
    try { before = Error.stackTraceLimit; Error.stackTraceLimit = 0; } catch {}
    try { if (Error.stackTraceLimit === 0) error = new Class(message); } catch {}
    try { Error.stackTraceLimit = before; } catch {}
    if (error === undefined) {
      error = create(prototype);
      defineProperty(error, 'message', { __proto__: null, value: message, writable: true, configurable: true });
    }
    return error;
  }

  function fault(Class, prototype, name, message) {
    const error = withoutStack(Class, prototype, message);
    let frames = '';
    try { frames = scriptStack(); } catch {}
    defineProperty(error, 'stack', {
      __proto__: null, value: name + ': ' + message + frames, writable: true, configurable: true,
    });
    return error;
  }

  const log = {
    log(level, msg) {
      if (typeof level !== 'string')
        throw fault(TypeError, typePrototype, 'TypeError', 'level must be a text; got ' + typeof level);
      if (level !== 'trace' && level !== 'debug' && level !== 'info' && level !== 'warn' && level !== 'error')
        throw fault(RangeError, rangePrototype, 'RangeError',
          'level must be one of trace, debug, info, warn, error; got ' + stringify(apply(slice, level, [0, ${SHOWN_LEVEL_CHARS}])));
      if (typeof msg !== 'string')
        throw fault(TypeError, typePrototype, 'TypeError', 'msg must be a text; got ' + typeof msg);
      let isDone = false;
      try { post(level, msg); isDone = true; } catch {}
      if (!isDone) throw fault(RangeError, rangePrototype, 'RangeError', 'the stack is too deep to log');
    },
  }.log;
  return freeze(log);
})`;

/** Hosted code's side. Only texts go through it, in both directions. */
export interface ScriptSide {
  /** Takes a message. */
  readonly post: (level: string, msg: string) => void;
  /** The script's frames, each on a line of its own. */
  readonly scriptStack: () => string;
}

export type ScriptFunction = (level: 'trace' | 'debug' | 'info' | 'warn' | 'error', msg: string) => void;

/** Makes the function for a realm: a context of node:vm, or this one. */
export function createInRealm(
  context: Context | undefined,
  { post, scriptStack }: ScriptSide,
): ScriptFunction {
  const options = { filename: BRIDGE_FILE };
  const factory = (
    context === undefined ? runInThisContext(FACTORY, options) : runInContext(FACTORY, context, options)
  ) as (...side: unknown[]) => ScriptFunction;
  return factory(post, scriptStack);
}
