import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { ReservedKeys } from './reserved-keys.ts';

describe('reserved keys that a program sets by hand', () => {
  test('are moved to user.<key>, in their place, and counted', () => {
    const reserved = new ReservedKeys();
    const [fields, ...rest] = reserved.moveInArguments([
      { a: 1, trace_id: 'mine', span: 2, b: 3 },
      'a %s',
      'b',
    ]);
    expect(JSON.stringify(fields)).toBe('{"a":1,"user.trace_id":"mine","user.span":2,"b":3}');
    expect(rest).toEqual(['a %s', 'b']);
    expect(reserved.moved).toBe(2);
  });

  test('leave the other calls as they are, not copied', () => {
    const reserved = new ReservedKeys();
    const request = Object.assign(new IncomingMessage(new Socket()), { method: 'GET', span: 'instrumented' });
    const response = Object.assign(new ServerResponse(request), { span: 'instrumented' });
    for (const first of [
      { a: 1 },
      'text',
      undefined,
      null,
      Object.assign(new Error(), { time: 1 }),
      request,
      response,
    ]) {
      const args = [first, 'message'];
      expect(reserved.moveInArguments(args)).toBe(args);
    }
    expect(reserved.moved).toBe(0);
  });

  test('keep a key named __proto__ a key', () => {
    const fields = new ReservedKeys().move(JSON.parse('{"__proto__":{"polluted":true},"level":1}') as object);
    expect(JSON.stringify(fields)).toBe('{"__proto__":{"polluted":true},"user.level":1}');
  });
});
