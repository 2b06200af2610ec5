const build = require('pino-abstract-transport');
const { appendFileSync } = require('node:fs');

/** As compiled modules are, whose function is two defaults deep for an importer; it waits for pino's config. */
const target = ({ path }) =>
  build(
    async (source) => {
      for await (const record of source) {
        const label = source.levels.labels[record.level];
        appendFileSync(path, `${JSON.stringify({ ...record, label, msg: record[source.messageKey] })}\n`);
      }
    },
    { expectPinoConfig: true },
  );

module.exports = { __esModule: true, default: target };
