// Takes what any of the contenders sends and counts its records later, so that counting costs them nothing. `GET /taken` tells how many
// different records came since it was asked last. It says its port on stdout.
import fs from 'node:fs';
import http from 'node:http';
import { gunzipSync } from 'node:zlib';

let bodies = [];

function countTaken() {
  const numbers = new Set();
  let found = 0;
  for (const { encoding, body } of bodies) {
    const plain = encoding === 'gzip' ? gunzipSync(body) : body;
    for (const [, number] of plain.toString('latin1').matchAll(/burst record (\d+);/g)) {
      numbers.add(number);
      found++;
    }
  }
  const taken = { different: numbers.size, twice: found - numbers.size, requests: bodies.length };
  bodies = [];
  return taken;
}

/** Two lines for each document. */
function bulkAnswer(body) {
  let lines = 0;
  for (let at = body.indexOf(10); at !== -1; at = body.indexOf(10, at + 1)) lines++;
  const items = Array.from({ length: lines / 2 }, () => ({ create: { status: 201 } }));
  return JSON.stringify({ took: 1, errors: false, items });
}

function respond(request, response, body) {
  const json = { 'content-type': 'application/json', 'x-elastic-product': 'Elasticsearch' };
  if (request.url === '/taken') response.writeHead(200, json).end(JSON.stringify(countTaken()));
  else if (request.method !== 'POST') response.writeHead(200, json).end('{"version":{"number":"9.0.0"}}');
  else {
    bodies.push({ encoding: request.headers['content-encoding'], body });
    if (request.url.includes('_bulk')) response.writeHead(200, json).end(bulkAnswer(body));
    else if (request.url.includes('/v1/logs'))
      response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
    else response.writeHead(204).end();
  }
}

const server = http.createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => respond(request, response, Buffer.concat(chunks)));
});
server.listen(0, '127.0.0.1', () => fs.writeSync(1, `${server.address().port}\n`));
