import fs from 'node:fs';

/** Fulfils the orders that its own history does not know. */
export default function fulfil({ value: orders, queryLogs, logger }) {
  const fulfilled = new Set(
    queryLogs({ source: 'reflex', type: 'fulfilled' }).map((row) => row.payload.order),
  );
  for (const order of orders) {
    if (fulfilled.has(order)) continue;
    if (order === 'impossible')
      throw new Error('an order can not be fulfilled', { cause: new Error('out of stock') });
    fs.appendFileSync('outbox.txt', `${order}\n`);
    logger.info({ type: 'fulfilled', order }, `fulfilled ${order}`);
  }
}
