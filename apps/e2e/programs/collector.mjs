// A collector of log lines that fails as it is told to. Arguments: the folder that it writes to, the port (0 for any).
// `POST /logs`: what it has taken goes to `taken.ndjson` before it answers; `PUT /mode` with a mode's name: how it answers from then on;
// `GET /requests`: what it was asked, as JSON. It says its port on stdout.
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { say } from './say.mjs';

const [folder, port] = process.argv.slice(2);
const taken = path.join(folder, 'taken.ndjson');
const requests = [];
let mode = 'ok';

/** @type {Record<string, (response: http.ServerResponse, body: Buffer) => void>} */
const MODES = {
  ok(response, body) {
    fs.appendFileSync(taken, body);
    response.writeHead(204).end();
  },
  // Keeps what it was sent, and the sender does not hear of it.
  'taken, and cut off'(response, body) {
    fs.appendFileSync(taken, body);
    response.destroy();
  },
  '200 with an error'(response) {
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"error":"the disk is full"}');
  },
  '200 with a page'(response) {
    response.writeHead(200, { 'content-type': 'text/html' }).end('<html>sign in</html>');
  },
  'closes early'(response) {
    response.destroy();
  },
  'breaks off'(response) {
    response.writeHead(200, { 'content-length': '50' }).write('{');
    setImmediate(() => response.destroy());
  },
  'never answers'() {},
  'answers 10 MB'(response, body) {
    fs.appendFileSync(taken, body);
    response.writeHead(200, { 'content-type': 'text/plain' }).end('x'.repeat(10 * 1024 * 1024));
  },
  'refuses 10 MB'(response) {
    response.writeHead(500, { 'content-type': 'text/plain' }).end('x'.repeat(10 * 1024 * 1024));
  },
  'takes 4 KB at most'(response, body) {
    if (body.length > 4096) response.writeHead(413).end();
    else MODES.ok(response, body);
  },
  'refuses a record'(response, body) {
    if (body.includes('"n":7,')) response.writeHead(400).end('n must not be 7');
    else MODES.ok(response, body);
  },
  'wants to be left alone'(response) {
    response.writeHead(429, { 'retry-after': '1' }).end();
  },
  'wants a password'(response) {
    response.writeHead(401, { 'www-authenticate': 'Bearer' }).end();
  },
  redirects(response) {
    response.writeHead(307, { location: '/elsewhere' }).end();
  },
  'is down'(response) {
    response.writeHead(503).end('down for maintenance');
  },
};

const server = http.createServer((request, response) => {
  const chunks = [];
  request.on('error', () => {});
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const body = Buffer.concat(chunks);
    if (request.url === '/mode') {
      mode = body.toString();
      response.writeHead(Object.hasOwn(MODES, mode) ? 204 : 404).end();
    } else if (request.url === '/requests') {
      response.end(JSON.stringify(requests));
    } else {
      requests.push({
        method: request.method,
        url: request.url,
        headers: request.headers,
        bytes: body.length,
        mode,
      });
      MODES[mode](response, body);
    }
  });
});
server.listen(Number(port), '127.0.0.1', () => say(`${server.address().port}`));
