import { createRequire } from 'node:module';
import { createLogger } from '@treeline/core';

// Logs inside spans, with OpenTelemetry's SDK registered or without; tells on stdout what the SDK has seen, or what is loaded.
const [how, path] = process.argv.slice(2);
const withSdk = how !== 'without';
const finished = [];

async function registerSdk() {
  const { NodeTracerProvider, InMemorySpanExporter, SimpleSpanProcessor, AlwaysOffSampler } =
    await import('@opentelemetry/sdk-trace-node');
  const exporter = new InMemorySpanExporter();
  new NodeTracerProvider({
    spanProcessors: [new SimpleSpanProcessor(exporter)],
    ...(how === 'unsampled' && { sampler: new AlwaysOffSampler() }),
  }).register();
  finished.push(() =>
    exporter.getFinishedSpans().map((span) => ({
      name: span.name,
      kind: span.kind,
      traceId: span.spanContext().traceId,
      spanId: span.spanContext().spanId,
      parentSpanId: span.parentSpanContext?.spanId,
      attributes: span.attributes,
      status: span.status.code,
      events: span.events.map(({ name }) => name),
    })),
  );
}

if (withSdk) await registerSdk();
// What OpenTelemetry's instrumentation of pino does.
const mixin = () => ({ trace_id: 'of the instrumentation', span_id: 'x', trace_flags: '0', mine: 1 });
const logger = createLogger(
  {
    level: 'debug',
    streams: [{ name: 'out', type: 'file', path }],
    ...(how === 'unsampled' && { sampling: { ratio: 1 } }),
  },
  how === 'mixin' ? { pino: { mixin } } : {},
);
logger.info('outside');
await logger.span('outer', { a: 1 }, { kind: 'server' }, async (span) => {
  logger.info('in outer');
  span.set({ b: 'late' });
  await new Promise((resolve) => setTimeout(resolve, 5));
  await logger.span('inner', {}, { level: 'debug' }, async () => {
    await Promise.resolve();
    logger.info('in inner');
  });
  try {
    logger.span('fails', () => {
      throw new TypeError('boom');
    });
  } catch {}
  if (withSdk) {
    const { trace } = await import('@opentelemetry/api');
    await trace.getTracer('other').startActiveSpan('foreign', async (foreign) => {
      logger.info('in foreign');
      await logger.span('below foreign', async () => logger.info('in below foreign'));
      foreign.end();
    });
    logger.info('in outer again');
  }
});
await logger.close();
const { cache } = createRequire(import.meta.url);
const loaded = Object.keys(cache).filter((file) => file.includes('@opentelemetry'));
process.stdout.write(JSON.stringify({ spans: finished.flatMap((read) => read()), loaded }));
