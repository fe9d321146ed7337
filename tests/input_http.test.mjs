// SPDX-License-Identifier: ISC
// HTTP/1.1 on the wire: what is refused is refused with the right code and the connection ends; what is fine is
// answered in order, whatever its framing and however its bytes arrive (RFC 9110, RFC 9112).
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { Client, Connection, raw } from './lib/http.mjs';
import { atEnd } from './lib/process.mjs';
import { startStayd } from './lib/stayd.mjs';

const PASSWORD = 'seven quiet harbours';
const TIMEOUT = 20_000;
let server;
let host;

before(async () => {
  server = await startStayd({ config: { fronts: 1 } });
  atEnd(() => server.stop());
  host = `127.0.0.1:${server.port}`;
  await server.addUser('alice', PASSWORD);
});

const get = (path, more = '') => `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n`;
const post = (head, body) => `POST /api/v1/login HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\n${head}\r\n${body}`;

/** Sends bytes that must be answered with one refusal, and a request behind them that must not be read. */
async function refused(bytes, status) {
  const answer = await raw(server.port, bytes + get('/livez'), { timeout: TIMEOUT });
  assert.deepEqual(answer.responses.map((response) => response.status), [status], answer.bytes.toString('latin1'));
  assert.equal(answer.closed, true);
  assert.equal(answer.rest.length, 0);
  assert.equal(answer.responses[0].headers.connection, 'close');
  assert.match(answer.responses[0].headers['content-type'], /^application\/problem\+json/);
  JSON.parse(answer.responses[0].text);
}

const refusals = {
  'both lengths': [400, () => post('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n')],
  'both lengths, the other way round': [400, () => post('Transfer-Encoding: chunked\r\nContent-Length: 5\r\n', '0\r\n\r\n')],
  'lengths that differ': [400, () => post('Content-Length: 5\r\nContent-Length: 6\r\n', 'hello')],
  'the same length twice': [400, () => post('Content-Length: 5\r\nContent-Length: 5\r\n', 'hello')],
  'a list of lengths': [400, () => post('Content-Length: 5, 5\r\n', 'hello')],
  'a signed length': [400, () => post('Content-Length: +5\r\n', 'hello')],
  'a negative length': [400, () => post('Content-Length: -5\r\n', 'hello')],
  'a hexadecimal length': [400, () => post('Content-Length: 0x5\r\n', 'hello')],
  'an empty length': [400, () => post('Content-Length: \r\n', 'hello')],
  'a length beyond 64 bits': [400, () => post('Content-Length: 18446744073709551621\r\n', 'hello')],
  'a bare LF after the request line': [400, () => `GET / HTTP/1.1\nHost: ${host}\r\n\r\n`],
  'a bare LF after a header': [400, () => `GET / HTTP/1.1\r\nHost: ${host}\nA: b\r\n\r\n`],
  'a bare LF at the end': [400, () => `GET / HTTP/1.1\r\nHost: ${host}\r\n\n`],
  'a bare CR in a header': [400, () => get('/', 'A: b\rc\r\n')],
  'a bare CR in the target': [400, () => get('/\r')],
  'a folded header': [400, () => get('/', 'A: b\r\n c\r\n')],
  'a header folded by a tab': [400, () => get('/', 'A: b\r\n\tc\r\n')],
  'a first line that is folded': [400, () => `GET / HTTP/1.1\r\n Host: ${host}\r\n\r\n`],
  'a space before the colon': [400, () => get('/', 'A : b\r\n')],
  'a tab before the colon': [400, () => get('/', 'A\t: b\r\n')],
  'a space in a name': [400, () => get('/', 'A b: c\r\n')],
  'a header without a colon': [400, () => get('/', 'A\r\n')],
  'a header without a name': [400, () => get('/', ': b\r\n')],
  'NUL in a value': [400, () => get('/', 'A: b\0c\r\n')],
  'NUL in a name': [400, () => get('/', 'A\0: b\r\n')],
  'NUL in the target': [400, () => get('/\0')],
  'a control byte in a value': [400, () => get('/', 'A: b\x01c\r\n')],
  'DEL in a value': [400, () => get('/', 'A: b\x7fc\r\n')],
  'non-ASCII in the target': [400, () => get('/\xe4')],
  'a bad escape in the target': [400, () => get('/%4')],
  'a space in the target': [400, () => get('/a b')],
  'a fragment': [400, () => get('/#a')],
  'a bare authority as the target': [400, () => `GET ${host} HTTP/1.1\r\nHost: ${host}\r\n\r\n`],
  'an asterisk with GET': [400, () => get('*')],
  'a target with a user': [400, () => get(`http://a@${host}/`)],
  'a target of another host': [400, () => get('http://elsewhere.example/')],
  'a target of another scheme': [400, () => get('ftp://127.0.0.1/')],
  'several Hosts': [400, () => get('/', `Host: ${host}\r\n`)],
  'several Hosts that differ': [400, () => get('/', 'Host: b\r\n')],
  'no Host': [400, () => 'GET / HTTP/1.1\r\n\r\n'],
  'a Host that is none': [400, () => 'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n'],
  'two spaces in the request line': [400, () => `GET  / HTTP/1.1\r\nHost: ${host}\r\n\r\n`],
  'a chunk size that is not hexadecimal': [400, () => post('Transfer-Encoding: chunked\r\n', 'g\r\na\r\n0\r\n\r\n')],
  'a chunk size with 0x': [400, () => post('Transfer-Encoding: chunked\r\n', '0x1\r\na\r\n0\r\n\r\n')],
  'a signed chunk size': [400, () => post('Transfer-Encoding: chunked\r\n', '+1\r\na\r\n0\r\n\r\n')],
  'a chunk size with a space before it': [400, () => post('Transfer-Encoding: chunked\r\n', ' 1\r\na\r\n0\r\n\r\n')],
  'a chunk size with a space behind it': [400, () => post('Transfer-Encoding: chunked\r\n', '1 \r\na\r\n0\r\n\r\n')],
  'an empty chunk size': [400, () => post('Transfer-Encoding: chunked\r\n', '\r\na\r\n0\r\n\r\n')],
  'a chunk size of 17 digits': [400, () => post('Transfer-Encoding: chunked\r\n', '10000000000000001\r\na\r\n0\r\n\r\n')],
  'a chunk size with a bare LF': [400, () => post('Transfer-Encoding: chunked\r\n', '1\na\r\n0\r\n\r\n')],
  'a chunk longer than its size': [400, () => post('Transfer-Encoding: chunked\r\n', '1\r\nab\r\n0\r\n\r\n')],
  'a bare LF in a chunk extension': [400, () => post('Transfer-Encoding: chunked\r\n', '1;a\nb\r\na\r\n0\r\n\r\n')],
  'a trailer that is no header': [400, () => post('Transfer-Encoding: chunked\r\n', '0\r\nA b\r\n\r\n')],
  'Transfer-Encoding twice': [400, () => post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n')],
  'Transfer-Encoding in HTTP/1.0': [400, () => `POST /api/v1/login HTTP/1.0\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
  'a chunked body that is not chunked last': [501, () => post('Transfer-Encoding: chunked, gzip\r\n', '0\r\n\r\n')],
  'an unknown transfer coding': [501, () => post('Transfer-Encoding: xchunked\r\n', '0\r\n\r\n')],
  'a method that is unknown': [501, () => `BREW / HTTP/1.1\r\nHost: ${host}\r\n\r\n`],
  CONNECT: [501, () => `CONNECT ${host} HTTP/1.1\r\nHost: ${host}\r\n\r\n`],
  TRACE: [501, () => `TRACE / HTTP/1.1\r\nHost: ${host}\r\n\r\n`],
  'HTTP/2.0': [505, () => `GET / HTTP/2.0\r\nHost: ${host}\r\n\r\n`],
  'HTTP/1.2': [505, () => `GET / HTTP/1.2\r\nHost: ${host}\r\n\r\n`],
  'HTTP/0.9': [505, () => 'GET /\r\n\r\n'],
  'the preface of HTTP/2': [505, () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  'an expectation that is unknown': [417, () => post('Content-Length: 2\r\nExpect: the-moon\r\n', '{}')],
  'a target that is too long': [414, () => get(`/${'a'.repeat(9000)}`)],
  'a header that is too long': [431, () => get('/', `A: ${'b'.repeat(9000)}\r\n`)],
  'too many headers': [431, () => get('/', 'A: b\r\n'.repeat(500))],
  'headers that are too long in all': [431, () => get('/', `A: ${'b'.repeat(4000)}\r\n`.repeat(10))],
  'a body that is too long, announced': [413, () => post('Content-Length: 70000\r\n', '')],
  'a body that is far too long, announced': [413, () => post('Content-Length: 9223372036854775807\r\n', '')],
  'a chunk that is too long': [413, () => post('Transfer-Encoding: chunked\r\n', '7fffffffffffffff\r\n')],
  'a body that is too long, in chunks': [413, () => post('Transfer-Encoding: chunked\r\n', `1000\r\n${'a'.repeat(4096)}\r\n`.repeat(20))],
};

test('refused, and the connection is closed', async (t) => {
  for (const [name, [status, bytes]] of Object.entries(refusals)) {
    await t.test(`${status}: ${name}`, () => refused(bytes(), status));
  }
});

test('a refusal follows the answers to what came before', async () => {
  const answer = await raw(server.port, get('/livez') + get('/livez') + get('/', 'A : b\r\n') + get('/livez'), { timeout: TIMEOUT });
  assert.deepEqual(answer.responses.map(({ status }) => status), [200, 200, 400]);
  assert.equal(answer.closed, true);
});

test('a refusal does not depend on how the bytes were cut', async () => {
  const bytes = post('Transfer-Encoding: chunked\r\n', '1\r\na\r\n1 \r\nb\r\n0\r\n\r\n');
  const connection = await Connection.open(server.port);
  for (const byte of bytes) {
    connection.send(byte);
    await new Promise((done) => { setImmediate(done); });
  }
  const [response] = await connection.responses(1, { timeout: TIMEOUT });
  assert.equal(response.status, 400);
  assert.ok(await connection.wait(({ closed }) => closed, TIMEOUT));
  connection.close();
});

test('keep-alive: many requests on one connection, until one asks to close', async () => {
  const connection = await Connection.open(server.port);
  for (let i = 1; i <= 20; i++) {
    connection.send(get('/livez'));
    assert.equal((await connection.responses(i, { timeout: TIMEOUT })).length, i);
  }
  assert.equal(connection.closed, false);
  connection.send(get('/livez', 'Connection: close\r\n'));
  const all = await connection.responses(21, { timeout: TIMEOUT });
  assert.equal(all.at(-1).headers.connection, 'close');
  assert.ok(await connection.wait(({ closed }) => closed, TIMEOUT));
  connection.close();
});

test('HTTP/1.0 is answered and closed, unless it asks to stay', async () => {
  const once = await raw(server.port, `GET /livez HTTP/1.0\r\nHost: ${host}\r\n\r\n`, { timeout: TIMEOUT });
  assert.equal(once.responses[0].status, 200);
  assert.equal(once.closed, true);
  const stays = `GET /livez HTTP/1.0\r\nHost: ${host}\r\nConnection: keep-alive\r\n\r\n`;
  const twice = await raw(server.port, stays + stays, { count: 2, timeout: TIMEOUT });
  assert.deepEqual(twice.responses.map(({ status }) => status), [200, 200]);
});

test('pipelining: answers come in the order of the requests, behind a slow login too', async () => {
  const body = JSON.stringify({ username: 'alice', password: PASSWORD });
  const bytes = get('/livez') + get('/nowhere') + post(`Content-Length: ${body.length}\r\n`, body)
    + get('/auth/check') + get('/readyz') + get('/nowhere') + post(`Content-Length: ${body.length}\r\n`, body) + get('/livez');
  const answer = await raw(server.port, bytes, { count: 8, timeout: TIMEOUT });
  assert.deepEqual(answer.responses.map(({ status }) => status), [200, 404, 200, 401, 200, 404, 200, 200]);
  assert.equal(JSON.parse(answer.responses[2].text).user.username, 'alice');
  assert.equal(answer.closed, false);
});

test('pipelining: hundreds at once, and a client that does not read for a while', async () => {
  const count = 1000;
  const connection = await Connection.open(server.port);
  connection.socket.pause();
  connection.send(get('/login').repeat(count));
  const other = await raw(server.port, get('/livez'), { count: 1, timeout: TIMEOUT });
  assert.equal(other.responses[0].status, 200); // nobody else is held up
  connection.socket.resume();
  const all = await connection.responses(count, { timeout: 60_000 });
  assert.equal(all.length, count);
  assert.ok(all.every(({ status }) => status === 200));
  connection.close();
});

test('a client that goes away in the middle of a login hurts nobody', async () => {
  const body = JSON.stringify({ username: 'alice', password: PASSWORD });
  for (let i = 0; i < 3; i++) { // fewer than the guesses that are free: each counts while it is tried
    const connection = await Connection.open(server.port);
    connection.send(post(`Content-Length: ${body.length}\r\n`, body));
    connection.socket.resetAndDestroy();
  }
  const client = new Client(server.url);
  assert.equal((await client.post('/api/v1/login', { json: { username: 'alice', password: PASSWORD } })).status, 200);
});

test('chunked bodies: extensions and trailers are read over', async () => {
  const body = JSON.stringify({ username: 'alice', password: PASSWORD });
  const chunks = (size) => body.match(new RegExp(`.{1,${size}}`, 'g'))
    .map((part) => `${part.length.toString(16)};name="value"\r\n${part}\r\n`).join('');
  for (const size of [1, 7, 1000]) {
    const bytes = post('Transfer-Encoding: chunked\r\n', `${chunks(size)}000\r\nX-Trailer: a\r\n\r\n`) + get('/livez');
    const answer = await raw(server.port, bytes, { count: 2, timeout: TIMEOUT });
    assert.deepEqual(answer.responses.map(({ status }) => status), [200, 200], `in pieces of ${size}`);
  }
  const coding = await raw(server.port, post('Transfer-Encoding: Chunked\r\n', `${chunks(9)}0\r\n\r\n`), { count: 1, timeout: TIMEOUT });
  assert.equal(coding.responses[0].status, 200); // names of codings know no case
});

test('a request that arrives byte by byte', async () => {
  const body = JSON.stringify({ username: 'alice', password: PASSWORD });
  const connection = await Connection.open(server.port);
  for (const byte of get('/livez') + post(`Content-Length: ${body.length}\r\n`, body) + get('/livez')) {
    connection.send(byte);
    await new Promise((done) => { setImmediate(done); });
  }
  const all = await connection.responses(3, { timeout: TIMEOUT });
  assert.deepEqual(all.map(({ status }) => status), [200, 200, 200]);
  connection.close();
});

test('HEAD is GET without the body', async () => {
  const client = new Client(server.url);
  for (const path of ['/login', '/livez', '/nowhere', '/auth/check', '/api/v1/session']) {
    const full = await client.get(path);
    const answer = await raw(server.port, get(path).replace('GET', 'HEAD') + get('/livez'), {
      count: 2, methods: ['HEAD', 'GET'], timeout: TIMEOUT,
    });
    assert.deepEqual(answer.responses.map(({ status }) => status), [full.status, 200], path);
    assert.equal(answer.responses[0].headers['content-length'], String(full.body.length), path);
    assert.equal(answer.responses[0].headers['content-type'], full.headers['content-type'], path);
  }
});

test('Expect: 100-continue is answered before the body, and only when it is waited for', async () => {
  const body = JSON.stringify({ username: 'alice', password: PASSWORD });
  const waits = await Connection.open(server.port);
  waits.send(post(`Content-Length: ${body.length}\r\nExpect: 100-continue\r\n`, ''));
  await waits.wait(() => waits.read().responses.length === 1, TIMEOUT);
  assert.equal(waits.read().responses[0].status, 100);
  waits.send(body);
  assert.equal((await waits.responses(1, { timeout: TIMEOUT }))[0].status, 200);
  waits.close();
  const all = await raw(server.port, post(`Content-Length: ${body.length}\r\nExpect: 100-continue\r\n`, body), { count: 1, timeout: TIMEOUT });
  assert.deepEqual(all.responses.map(({ status }) => status), [200]);
  const long = await raw(server.port, post('Content-Length: 70000\r\nExpect: 100-continue\r\n', ''), { timeout: TIMEOUT });
  assert.deepEqual(long.responses.map(({ status }) => status), [413]); // it is not asked to send it
});

test('methods that a path does not have', async () => {
  const client = new Client(server.url);
  for (const [method, path] of [['POST', '/auth/check'], ['DELETE', '/login'], ['PUT', '/api/v1/session'], ['GET', '/api/v1/login']]) {
    const answer = await client.request(method, path);
    assert.equal(answer.status, 405, `${method} ${path}`);
    assert.match(answer.headers.allow, /GET|POST|DELETE/);
  }
  assert.equal((await client.get('/nowhere')).status, 404);
});

test('every limit holds at its edge', async () => {
  const fine = async (bytes, status) => {
    const answer = await raw(server.port, bytes + get('/livez'), { count: 2, timeout: TIMEOUT });
    assert.deepEqual(answer.responses.map((response) => response.status), [status, 200]);
  };
  await fine(get(`/${'a'.repeat(8000)}`), 404);
  await fine(get('/livez', `A: ${'b'.repeat(8000)}\r\n`), 200);
  await fine(get('/livez', `A: ${'b'.repeat(4000)}\r\n`.repeat(7)), 200);
  await fine(get('/livez', 'A: b\r\n'.repeat(50)), 200);
  await fine(`\r\n${get('/livez')}`, 200); // one empty line before a request is read over
});
