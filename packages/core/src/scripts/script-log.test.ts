import { once } from 'node:events';
import { createContext, runInContext } from 'node:vm';
import { MessageChannel, Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { builtFile } from '../built-file.ts';
import { captureLogs, type CapturedLogs } from '../capture-logs.ts';
import { createScriptLog, receiveScriptLog, type ScriptLogOptions } from './script-log.ts';

/** Runs a script in a context of its own, where it has `log` and nothing else; its last value is the result. */
function script(text: string, options: ScriptLogOptions = {}): Promise<CapturedLogs<unknown>> {
  return captureLogs((logger) => {
    const context = createContext({}, { codeGeneration: { strings: true, wasm: false } });
    context['log'] = createScriptLog(logger, { context, ...options });
    return runInContext(text, context, { filename: 'script.js' }) as unknown;
  });
}

describe('createScriptLog', () => {
  test('gives one function with five levels', async () => {
    const { records } = await script(
      "for (const l of ['trace', 'debug', 'info', 'warn', 'error']) log(l, l + '!')",
    );
    expect(records.map(({ level, msg }) => [level, msg])).toEqual([
      [10, 'trace!'],
      [20, 'debug!'],
      [30, 'info!'],
      [40, 'warn!'],
      [50, 'error!'],
    ]);
  });

  test.each([
    ["log('fatal', 'x')", 'RangeError', 'level must be one of trace, debug, info, warn, error; got "fatal"'],
    [
      "log('silent', 'x')",
      'RangeError',
      'level must be one of trace, debug, info, warn, error; got "silent"',
    ],
    ["log('INFO', 'x')", 'RangeError', 'level must be one of trace, debug, info, warn, error; got "INFO"'],
    [
      "log('constructor', 'x')",
      'RangeError',
      'level must be one of trace, debug, info, warn, error; got "constructor"',
    ],
    ["log(30, 'x')", 'TypeError', 'level must be a text; got number'],
    ["log({ toString: () => 'info' }, 'x')", 'TypeError', 'level must be a text; got object'],
    ["log('info', { toString: () => 'x' })", 'TypeError', 'msg must be a text; got object'],
    ["log('info')", 'TypeError', 'msg must be a text; got undefined'],
    ['log()', 'TypeError', 'level must be a text; got undefined'],
  ])('%s is an error of the script', async (call, name, message) => {
    const { result, records } = await script(`
      function caller() { ${call} }
      try { caller() } catch (error) {
        [error.constructor === ${name}, error instanceof Error, error.message, error.stack,
         Object.getPrototypeOf(error) === ${name}.prototype]
      }`);
    const [isOwnClass, isError, text, stack, isOwnPrototype] = result as unknown[];
    expect([isOwnClass, isError, text, isOwnPrototype]).toEqual([true, true, message, true]);
    expect(String(stack).split('\n')).toEqual([
      `${name}: ${message}`,
      expect.stringMatching(/^ {4}at caller \(script\.js:2:\d+\)$/),
      expect.stringMatching(/^ {4}at script\.js:3:\d+$/),
    ]);
    expect(records).toEqual([]);
  });

  test.each([
    ['its constructor', 'log.constructor("return typeof process")()'],
    ['its constructor’s constructor', 'log.constructor.constructor("return typeof process")()'],
    ['its prototype', 'log.__proto__.constructor("return typeof process")()'],
    [
      'an error’s constructor',
      "try { log('x', 'y') } catch (e) { e.constructor.constructor('return typeof process')() }",
    ],
    [
      'the error of too deep a stack',
      `
      let found = 'undefined', tries = 0;
      function dive() {
        try { dive() } catch (e) { }
        if (tries++ > 300) return;
        try { log('info', 'x') } catch (e) {
          if (!(e instanceof Error)) found = 'a foreign error: ' + e.constructor.constructor('return typeof process')();
        }
      }
      try { dive() } catch {}
      found`,
    ],
    [
      'the error of too deep a stack, when the call is wrong',
      `
      let found = 'undefined', tries = 0;
      function dive() {
        try { dive() } catch (e) { }
        if (tries++ > 300) return;
        try { log('nope', 'x') } catch (e) { if (!(e instanceof Error)) found = 'foreign' }
      }
      try { dive() } catch {}
      found`,
    ],
    [
      'the error of too deep a stack, with frames of any size between it and the call',
      `
      let host;
      const keep = (e) => { if (!(e instanceof Error)) host = e };
      const attempts = [
        () => { try { log('nope', 'x') } catch (e) { keep(e) } },
        () => { try { log('nope', 'x') } catch (e) { if (!(e instanceof Error)) host = e } },
        () => { try { log('info') } catch (e) { if (!(e instanceof Error)) host = e } },
        () => { try { log('info', 'x') } catch (e) { if (!(e instanceof Error)) host = e } },
      ];
      for (let size = 0; size < 24; size++) {
        const names = Array.from({ length: size }, (_, i) => 'v' + i);
        const frame = eval('(call) => { ' + names.map((v) => 'let ' + v + ' = 1;').join('') + ' call(); return [' + names + '] }');
        for (const attempt of attempts) {
          try { frame(attempt) } catch {}
          let tries = 0;
          const dive = () => { try { dive() } catch {} if (tries++ < 10) try { frame(attempt) } catch {} };
          dive();
        }
      }
      host === undefined ? 'undefined' : 'foreign'`,
    ],
    [
      'call sites',
      `
      let sites = 0;
      Error.prepareStackTrace = (error, trace) => { sites += trace.length; return trace; };
      for (const args of [[], ['x', 'y'], ['info']]) try { log(...args) } catch (e) { if (typeof e.stack !== 'string') sites++ }
      sites === 0 ? 'undefined' : 'call sites'`,
    ],
    [
      'call sites, with Error frozen',
      `
      let sites = 0;
      Error.prepareStackTrace = (error, trace) => { sites += trace.length; return trace; };
      Object.freeze(Error);
      try { log('x', 'y') } catch (e) { if (typeof e.stack !== 'string' || !(e instanceof RangeError)) sites++ }
      sites === 0 ? 'undefined' : 'call sites'`,
    ],
    [
      'a setter for the limit of stacks',
      `
      let seen = 'undefined';
      Object.defineProperty(Error, 'stackTraceLimit', { get() { return 0 }, set(value) { if (typeof value === 'object') seen = 'object' } });
      try { log('x', 'y') } catch {}
      seen`,
    ],
    [
      'its caller',
      `
      let found = 'undefined';
      try { if (log.caller) found = 'caller' } catch {}
      try { if (log.arguments) found = 'arguments' } catch {}
      found`,
    ],
    [
      'classes that the script has replaced',
      `
      let given = 'undefined';
      TypeError = RangeError = class { constructor(...args) { given = 'called' } };
      Object.defineProperty = Object.create = String.prototype.slice = () => { given = 'called' };
      try { log('x', 'y') } catch {}
      try { log(5) } catch {}
      given`,
    ],
    ['a property that is added to it', 'try { log.x = 1 } catch {} typeof log.x'],
    ['what it returns', "typeof log('info', 'x')"],
  ])('hands out nothing of the host by %s', async (_, text) => {
    expect((await script(text)).result).toBe('undefined');
  });

  test('takes whatever a script calls it with, without a foreign error', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.anything(), { maxLength: 3 }), async (args) => {
        await captureLogs((logger) => {
          const context = createContext({ args });
          context['log'] = createScriptLog(logger, { context });
          const isFine = runInContext(
            'let fine = true; try { log(...args) } catch (e) { fine = e instanceof Error } fine',
            context,
          ) as boolean;
          expect(isFine).toBe(true);
        });
      }),
      { numRuns: 50 },
    );
  });

  test('adds the script’s stack where it is asked to', async () => {
    const { records } = await script("function inner() { log('info', 'x') }\ninner()", { backtrace: true });
    expect(records[0]?.['backtrace']).toBe('    at inner (script.js:1:20)\n    at script.js:2:1');
  });

  test('limits a script that floods, and tells how many records it left out', async () => {
    const { records, result } = await captureLogs(async (logger) => {
      const context = createContext({});
      context['log'] = createScriptLog(logger, { context, maxRecordsPerSecond: 10 });
      runInContext("for (let i = 0; i < 5000; i++) log('info', 'n' + i)", context);
      await expect.poll(() => logger.activeSpans(), { timeout: 10 }).toEqual([]);
      await new Promise((resolve) => setTimeout(resolve, 1200));
      return 'done';
    });
    expect(result).toBe('done');
    const told = records.filter(({ dropped }) => dropped !== undefined);
    expect(records.length - told.length).toBeGreaterThanOrEqual(10);
    expect(records.length - told.length + told.reduce((sum, { dropped }) => sum + Number(dropped), 0)).toBe(
      5000,
    );
    expect(told[0]).toMatchObject({ level: 40, msg: 'a script logs too much: records were left out' });
  });

  test('tells how many records it left out before the logger closes', async () => {
    const { records } = await captureLogs(async (logger) => {
      const log = createScriptLog(logger, { maxRecordsPerSecond: 10 });
      for (let index = 0; index < 100; index++) log('info', 'n');
      await logger.close();
    });
    const dropped = records.reduce((sum, record) => sum + Number(record['dropped'] ?? 0), 0);
    expect(dropped).toBeGreaterThan(0);
    expect(records.filter(({ msg }) => msg === 'n').length + dropped).toBe(100);
  });

  test('limits what comes over a port, too, as it may not come through the worker’s own function', async () => {
    const { records } = await captureLogs(async (logger) => {
      const { port1, port2 } = new MessageChannel();
      receiveScriptLog(logger, port1, { maxRecordsPerSecond: 10, maxChars: 5 });
      for (let index = 0; index < 100; index++) port2.postMessage({ level: 'info', msg: 'x'.repeat(100) });
      port2.close();
      await once(port1, 'close');
      await logger.close();
    });
    const dropped = records.reduce((sum, record) => sum + Number(record['dropped'] ?? 0), 0);
    expect(records[0]).toMatchObject({ msg: 'xxxxx…', chars: 100 });
    expect(records.filter(({ chars }) => chars === 100).length + dropped).toBe(100);
    expect(dropped).toBeGreaterThan(0);
  });

  test('cuts long messages, and says how long they were', async () => {
    const { records } = await script("log('info', 'x'.repeat(100))", { maxChars: 10 });
    expect(records[0]).toMatchObject({ msg: `${'x'.repeat(10)}…`, chars: 100 });
  });

  test('works in this realm, too, and inside spans', async () => {
    const { trees } = await captureLogs((logger) => {
      const log = createScriptLog(logger);
      logger.span('hosted', () => log('info', 'from within'));
      expect(() => log('nope' as 'info', 'x')).toThrow(RangeError);
    });
    expect(trees[0]?.events).toMatchObject([{ msg: 'from within' }]);
  });

  test('goes over a port from a worker, whose messages are not trusted', async () => {
    const { records } = await captureLogs(async (logger) => {
      const { port1, port2 } = new MessageChannel();
      const stop = receiveScriptLog(logger, port1);
      const worker = new Worker(
        `const { workerData } = require('node:worker_threads');
         const vm = require('node:vm');
         import(workerData.module).then(({ createScriptLog }) => {
           const context = vm.createContext({});
           context.log = createScriptLog(workerData.port, { context, backtrace: true });
           vm.runInContext("log('warn', 'from a worker'); try { log('fatal', 'x') } catch (e) { log('error', e.message) }", context, { filename: 'w.js' });
           workerData.port.postMessage({ level: 'fatal', msg: 'forged' });
           workerData.port.postMessage({ level: 'info', msg: { toString: 1 } });
           workerData.port.postMessage('forged');
         });`,
        {
          eval: true,
          workerData: { port: port2, module: builtFile('scripts/index.js').href },
          transferList: [port2],
        },
      );
      await once(worker, 'exit');
      await expect.poll(() => port1.listenerCount('message')).toBe(1);
      await new Promise((resolve) => setImmediate(resolve));
      stop();
      port1.close();
    });
    expect(records).toMatchObject([
      { level: 40, msg: 'from a worker', backtrace: '    at w.js:1:1' },
      { level: 50, msg: expect.stringContaining('level must be one of') as string },
    ]);
  });

  test.each([
    [{ maxRecordsPerSecond: 0 }, 'maxRecordsPerSecond must be a whole number, 1 or more; got 0'],
    [{ maxChars: 1.5 }, 'maxChars must be a whole number, 1 or more; got 1.5'],
  ])('with %j is a mistake', async (options, message) => {
    await captureLogs((logger) => {
      expect(() => createScriptLog(logger, options)).toThrow(new RangeError(message));
    });
  });
});
