import { describe, expect, test } from 'vitest';
import { parseFilter, parseQuery } from './parse.ts';
import { formatQuery } from './print.ts';
import { QueryError } from './query-error.ts';

describe('parseQuery', () => {
  test.each([
    ['timeout -retry', '"timeout" and not "retry"'],
    ['a or b c', '"a" or "b" and "c"'],
    ['a OR b', '"a" or "b"'],
    ['a || b && c', '"a" or "b" and "c"'],
    ['a AND NOT b', '"a" and not "b"'],
    ['(a or b) c', '("a" or "b") and "c"'],
    ['(a and b) and c', '"a" and "b" and "c"'],
    ['!a', 'not "a"'],
    ['not not a', 'not not "a"'],
    ['-(a or b)', 'not ("a" or "b")'],
    ['level>=warn source:api', 'level>=warn and source="api"'],
    ['level >= warn', 'level>=warn'],
    ['level=30', 'level=info'],
    ['level>35', 'level>35'],
    ['LEVEL=ERROR', 'LEVEL="ERROR"'],
    ['level:ERROR', 'level=error'],
    ['level:error,fatal', 'level in (error, fatal)'],
    ['level:error, fatal', 'level in (error, fatal)'],
    ['level:warn..fatal', 'level:warn..fatal'],
    ['type:http.*', 'type:http.*'],
    ['type:http.*,db', 'type="db" or type:http.*'],
    ['type:"http.*"', 'type="http.*"'],
    ['type=http.*', 'type="http.*"'],
    ['ref:ord_8812', 'ref="ord_8812"'],
    ['refId=42', 'ref="42"'],
    ['ref_id=42', 'ref="42"'],
    ['req.status>=500 req.url~/v1/orders', 'req.status>=500 and req.url~"/v1/orders"'],
    ['req.url~/^.v1.+/', 'req.url=~/^.v1.+/i'],
    ['req.url:/v1/orders', 'req.url="/v1/orders"'],
    ['req.url:/^.v1/', 'req.url=~/^.v1/'],
    ['req.headers.host=~/^eu-/i', 'req.headers.host=~/^eu-/i'],
    ['host !=~ /a b|c/', 'host!=~/a b|c/'],
    ['url=~/a\\/b/', 'url=~/a\\/b/'],
    ['msg!~slow', 'msg!~"slow"'],
    ['user.id?!=42', 'user.id?!=42'],
    ['.level:gold', '.level="gold"'],
    ['"level"=gold', '.level="gold"'],
    ['exists(err) -exists(err.handled)', 'exists(err) and not exists(err.handled)'],
    ['err:*', 'exists(err)'],
    ['err:*,none', 'err="none" or exists(err)'],
    ['items.[].sku=AB-1', 'items.[].sku="AB-1"'],
    ['items[0].sku=1', 'items.[0].sku=1'],
    ['span.attrs."http.request.method"=GET', 'span.attrs."http.request.method"="GET"'],
    ['span=ab12', 'span="ab12"'],
    ['trace:0123', 'trace="0123"'],
    ['ts:2026-03-04', 'time="2026-03-04"'],
    ['ts>=2026-03-04T22:15', 'time>="2026-03-04T22:15"'],
    ['ts:2026-03..2026-04', 'time:"2026-03".."2026-04"'],
    ['since:90m until:-5m', 'since:"90m" and until:"-5m"'],
    ['since:yesterday until:today', 'since:"yesterday" and until:"today"'],
    ['id>=100', 'id>=100'],
    ['ref in @ids.txt', 'ref in @"ids.txt"'],
    ['ref in @-', 'ref in @"-"'],
    ['a in (1, "2", true)', 'a in (1, "2", true)'],
    ['a in (1)', 'a=1'],
    ['"logged on as contact"', '"logged on as contact"'],
    ['"say \\"hi\\"\\n"', '"say \\"hi\\"\\n"'],
    ['"and"', '"and"'],
    ['any:word', 'any:"word"'],
    ['audit=true', 'audit=true'],
    ['audit="true"', 'audit="true"'],
    ['n=-1.5e3', 'n=-1500'],
    ['n:1..2.5', 'n:1..2.5'],
    ['name:"a".."b"', 'name:"a".."b"'],
    ['café=1 naïve', 'café=1 and "naïve"'],
    ['/v1/orders', '"/v1/orders"'],
    ['user@example.com', '"user@example.com"'],
    ['a&&b', '"a" and "b"'],
    ['level>=error | count by source,type', 'level>=error | count by source, type'],
    [
      'type:http.response | stats p50,p95(durationMs) by req.url | limit 10',
      'type="http.response" | stats p50(durationMs), p95(durationMs) by req.url | limit 10',
    ],
    ['level>=error | hist 5m by level', 'level>=error | hist 5m by level'],
    ['"ECONNREFUSED" | context 20,5', '"ECONNREFUSED" | context 20,5'],
    ['| count', '| count'],
    ['a | top 5 source | sort count desc', '"a" | top 5 source | sort count desc'],
    ['a | fields ts,msg,"x.y"', '"a" | fields time, msg, "x.y"'],
    ['a | stats avg(x) as mean, count', '"a" | stats avg(x) as "mean", count'],
    ['a | stats count, p99.9(x)', '"a" | stats count, p99.9(x)'],
    ['', ''],
  ])('reads %s as %s', (text, canonical) => {
    const query = parseQuery(text);
    expect(formatQuery(query)).toBe(canonical);
    expect(parseQuery(canonical)).toEqual(query);
  });

  test.each([
    ['status == ', 9, /"=" at column 9/],
    ['status==500', 8, /unexpected "="/],
    ['status >=', 8, /value is missing/],
    ['level>=eror', 8, /did you mean error/],
    ['level:silent', 7, /unknown level/],
    ['level:e*', 7, /unknown level/],
    ['level~warn', 6, /no text/],
    ['(a or b', 1, /never closed/],
    ['a)', 2, /unexpected "\)"/],
    ['"abc', 1, /quote is never closed/],
    ['a"b"', 2, /unexpected "\\""/],
    ['foo(bar)', 4, /unexpected "\("/],
    ['msg~foo(bar)', 8, /unexpected "\("/],
    ['a=b,c', 4, /a list stands behind ":"/],
    ['"a\\d"', 3, /no escape/],
    ['or b', 1, /condition is missing/],
    ['a and', 6, /ends where a condition is expected/],
    ['a or', 5, /ends where a condition is expected/],
    ['in (1)', 1, /condition is missing/],
    ['a in 5', 6, /list in brackets/],
    ['a in (1', 6, /never closed/],
    ['exists(', 8, /field is expected/],
    ['exists(a', 1, /never closed/],
    ['exists (a)', 1, /space stands between/],
    ['x=null', 3, /null counts as absent/],
    ['x>true', 2, /no order/],
    ['x=1e999', 3, /too large/],
    ['x:1..', 3, /both ends/],
    ['x:..5', 3, /both ends/],
    ['x:1.."a"', 3, /alike/],
    ['x=~abc', 4, /regular expression is expected/],
    ['x=~/abc', 4, /never closed/],
    ['x=~/a(/', 4, /broken regular expression/],
    ['x=~/(?=a)b/', 4, /broken regular expression/],
    ['x=~/a/q', 7, /unknown flags/],
    ['x=~/a/ii', 7, /unknown flags/],
    ['ts>2026-13', 4, /is no time/],
    ['ts:2026-02-30', 4, /is no time/],
    ['since:soon', 7, /is no time/],
    ['since:', 7, /value is missing/],
    ['10:30', 1, /begins with a digit/],
    ['http://x', 1, /looks like an URL/],
    ['id=x', 4, /whole number/],
    ['user?', 5, /"\?" stands/],
    ['foo*', 4, /unexpected "\*"/],
    ['x:a,', 5, /value is missing/],
    ['x:=a*', 3, /unexpected "="/],
    ['any:""', 5, /empty/],
    ['""', 1, /empty/],
    ['x~""', 3, /empty/],
    ['- a', 1, /nothing follows/],
    ['a | ', 5, /stage is missing/],
    ['a | cuont', 5, /did you mean count/],
    ['a | top x', 9, /top takes a number/],
    ['a | limit', 10, /limit takes a number/],
    ['a | limit 5 6', 13, /unexpected/],
    ['a | hist 0s', 10, /step of time/],
    ['a | hist x', 10, /step of time/],
    ['a | stats p101(x)', 11, /unknown function/],
    ['a | stats p50', 11, /field is missing/],
    ['a | stats avg()', 11, /field is missing/],
    ['a | context 5', 14, /two numbers/],
    ['a | sort', 9, /field is expected/],
    ['a | count by', 13, /field is expected/],
  ])('refuses %s at column %i', (text, column, message) => {
    const error = parseFault(() => parseQuery(text));
    expect(error.message).toMatch(message);
    expect(error.column).toBe(column);
    expect(error.code).toBe('QUERY_INVALID');
  });

  test('refuses a text that is nested too deeply or too long, without running out of stack', () => {
    expect(parseFault(() => parseQuery('('.repeat(50_000))).message).toMatch(/nested deeper/);
    expect(parseFault(() => parseQuery('-'.repeat(50_000))).message).toMatch(/nested deeper/);
    expect(parseFault(() => parseQuery('a '.repeat(40_000))).message).toMatch(/characters/);
  });
});

describe('parseFilter', () => {
  test.each([
    ['a | count', 3, /no stages/],
    ['since:1h', 1, /"since"/],
    ['level>=warn until:1h', 13, /"until"/],
    ['id>5', 1, /"id"/],
    ['ref in @ids', 8, /"in @file"/],
    ['', 1, /empty/],
  ])('refuses %s', (text, column, message) => {
    const error = parseFault(() => parseFilter(text));
    expect(error.message).toMatch(message);
    expect(error.column).toBe(column);
  });

  test('takes a key of the record that is called id', () => {
    expect(parseFilter('.id=5')).toEqual({
      kind: 'compare',
      field: { kind: 'path', segments: ['id'] },
      orAbsent: false,
      op: '=',
      value: { kind: 'number', value: 5 },
    });
  });
});

function parseFault(run: () => unknown): QueryError {
  try {
    run();
  } catch (error) {
    if (error instanceof QueryError) return error;
    throw error;
  }
  throw new Error('the text was accepted');
}
