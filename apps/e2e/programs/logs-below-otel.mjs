import http from 'node:http';
import { createContextKey, context, SpanKind, trace } from '@opentelemetry/api';
import { AlwaysOffSampler, BasicTracerProvider, NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import { createLogger } from '@treeline/core';
import { trackRequests } from '@treeline/core/requests';

// Logs where OpenTelemetry's spans, or its lack of them, are around.
const [how, path] = process.argv.slice(2);
if (how === 'no-context') trace.setGlobalTracerProvider(new BasicTracerProvider());
else new NodeTracerProvider(how === 'unsampled' ? { sampler: new AlwaysOffSampler() } : {}).register();
const logger = createLogger({
  streams: [{ name: 'out', type: 'file', path }],
  enhancedFeatures: { requestTracking: { enabled: true } },
});
const tracer = trace.getTracer('other');

function idsOf(span) {
  const { traceId, spanId } = span.spanContext();
  return { trace_id: traceId, span_id: spanId };
}

function nest() {
  logger.span('outer', () => {
    logger.info('in outer');
    logger.span('inner', () => logger.info('in inner'));
  });
}

/** As an instrumentation of http does: a span around each handler. */
async function serve(kind) {
  const track = trackRequests(logger);
  const server = http.createServer((request, response) =>
    tracer.startActiveSpan('instrumented', { kind }, (span) => {
      const metadata = kind === SpanKind.SERVER ? { span } : undefined;
      const key = createContextKey('OpenTelemetry SDK Context Key RPC_METADATA');
      context.with(context.active().setValue(key, metadata), () =>
        track(request, response, () => {
          logger.info({ ids: idsOf(span) }, 'in handler');
          response.end(() => span.end());
        }),
      );
    }),
  );
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const headers = how.endsWith('traceparent')
    ? { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` }
    : {};
  await (await fetch(`http://127.0.0.1:${server.address().port}`, { headers })).text();
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await closed;
}

if (how === 'foreign')
  tracer.startActiveSpan('foreign', (span) =>
    logger.info({ ids: idsOf(span), headers: logger.traceHeaders().traceparent }, 'in foreign'),
  );
else if (how === 'no-context') nest();
else if (how === 'suppressed')
  context.with(
    context.active().setValue(createContextKey('OpenTelemetry SDK Context Key SUPPRESS_TRACING'), true),
    nest,
  );
else await serve(how === 'internal' ? SpanKind.INTERNAL : SpanKind.SERVER);
await logger.close();
