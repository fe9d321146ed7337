// SPDX-License-Identifier: ISC
// Connections: time-outs, caps, TLS, the Unix socket and IPv6, each against a stayd with small limits.
import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import tls from 'node:tls';
import { makeCertificate } from './lib/certificate.mjs';
import { Client, Connection, raw } from './lib/http.mjs';
import { run, until } from './lib/process.mjs';
import { prepareStayd, startStayd } from './lib/stayd.mjs';

const TIMEOUT = 20_000;
const GET = 'GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n';
const closes = (connection) => connection.wait(({ closed }) => closed, TIMEOUT);

test('time-outs: of a head, of a body, of an idle connection', async (t) => {
  const server = await startStayd({ config: { fronts: 1, header_timeout: '700ms', body_timeout: '700ms', idle_timeout: '700ms' } });

  await t.test('a connection that says nothing is closed without a word', async () => {
    const connection = await Connection.open(server.port);
    assert.ok(await closes(connection));
    assert.equal(connection.bytes.length, 0);
    connection.close();
  });

  await t.test('a head that trickles in is refused in the end: a byte now and then does not prolong it', async () => {
    const connection = await Connection.open(server.port);
    const drip = setInterval(() => connection.send('a'), 50);
    connection.send('GET /livez HTTP/1.1\r\nHost: a\r\nX: ');
    const [response] = await connection.responses(1, { timeout: TIMEOUT });
    clearInterval(drip);
    assert.equal(response.status, 408);
    assert.ok(await closes(connection));
    connection.close();
  });

  await t.test('a body that trickles in, too, chunked or not', async () => {
    for (const head of ['Content-Length: 1000', 'Transfer-Encoding: chunked']) {
      const connection = await Connection.open(server.port);
      const drip = setInterval(() => connection.send(head.startsWith('T') ? '1\r\na\r\n' : 'a'), 50);
      connection.send(`POST /api/v1/login HTTP/1.1\r\nHost: a\r\n${head}\r\n\r\n`);
      const [response] = await connection.responses(1, { timeout: TIMEOUT });
      clearInterval(drip);
      assert.equal(response.status, 408, head);
      assert.ok(await closes(connection));
      connection.close();
    }
  });

  await t.test('an idle connection is closed without a word', async () => {
    const connection = await Connection.open(server.port);
    connection.send(GET);
    assert.equal((await connection.responses(1, { timeout: TIMEOUT }))[0].status, 200);
    const before = connection.bytes.length;
    assert.ok(await closes(connection));
    assert.equal(connection.bytes.length, before);
    connection.close();
  });
  await server.stop();
});

/** Opens connections, each of which must be served. */
async function served(to, count) {
  const connections = [];
  for (let i = 0; i < count; i++) {
    const connection = await Connection.open(to);
    connections.push(connection);
    connection.send(GET);
    const [response] = await connection.responses(1, { timeout: TIMEOUT });
    assert.equal(response?.status, 200, `connection ${i + 1}`);
  }
  return connections;
}

/** One more, which must be turned away. It is told so before it asks: a request could cross the close. */
async function turnedAway(to) {
  const connection = await Connection.open(to);
  const [response] = await connection.responses(1, { timeout: TIMEOUT });
  assert.equal(response?.status, 503);
  assert.equal(response.headers['retry-after'], '1');
  assert.ok(await closes(connection));
  connection.close();
}

test('caps: on connections of one source, and on connections in all', async (t) => {
  const server = await prepareStayd({ config: { fronts: 1, connections_max: 20, connections_per_source_max: 8 } });
  const socket = join(server.folder, 'stayd.sock');
  server.reconfigure({ listen: [server.config.listen, `unix:${socket}`], trusted_proxies: 'unix' });
  await server.start();
  const free = () => until(async () => (await raw(server.port, GET, { count: 1 })).responses[0]?.status === 200,
    { timeout: TIMEOUT, what: 'served again' });

  await t.test('the ninth connection of a source is turned away, others are served', async () => {
    const all = await served(server.port, 8);
    await turnedAway(server.port);
    const other = await raw({ port: server.port, localAddress: '127.0.0.2' }, GET, { count: 1, timeout: TIMEOUT });
    assert.equal(other.responses[0].status, 200);
    for (const connection of all) connection.close();
    await free();
  });

  await t.test('a proxy on the Unix socket is everyone: only the cap in all is for it', async () => {
    const all = await served({ path: socket }, 20);
    await turnedAway({ path: socket });
    for (const connection of all) connection.close();
    await free();
  });
  await server.stop();
});

test('the Unix socket and IPv6', async () => {
  const server = await prepareStayd({ config: { fronts: 2 } });
  const socket = join(server.folder, 'stayd.sock');
  server.reconfigure({ listen: [server.config.listen, `unix:${socket}`, `[::1]:${server.port}`] });
  await server.start();
  for (const to of [{ path: socket }, { port: server.port, host: '::1' }, server.port]) {
    const answer = await raw(to, GET + GET, { count: 2, timeout: TIMEOUT });
    assert.deepEqual(answer.responses.map(({ status }) => status), [200, 200], JSON.stringify(to));
  }
  assert.ok(statSync(socket).isSocket());
  await server.addUser('alice', 'seven quiet harbours');
  const client = new Client(server.url, { connect: { host: '::1', port: server.port } });
  assert.equal((await client.post('/api/v1/login', { json: { username: 'alice', password: 'seven quiet harbours' } })).status, 200);
  const [session] = (await client.get('/api/v1/sessions')).json().sessions;
  assert.equal(session.address, '::1');
  await server.stop();
  assert.equal(existsSync(socket), false);
  // A socket file that a killed stayd left behind does not stop the next one.
  await server.start();
  process.kill(server.pid, 'SIGKILL');
  await server.stop({ signal: 'SIGKILL' });
  assert.equal(existsSync(socket), true);
  await server.start();
  assert.equal((await raw({ path: socket }, GET, { count: 1, timeout: TIMEOUT })).responses[0].status, 200);
  await server.stop();
});

const handshake = (port, options) => new Promise((resolve, reject) => {
  const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options }, () => {
    resolve({ protocol: socket.getProtocol(), fingerprint: socket.getPeerCertificate().fingerprint256 });
    socket.destroy();
  });
  socket.once('error', reject);
});

test('TLS: 1.2 and 1.3, HSTS, and a certificate that changes while connections live', async (t) => {
  const [first, second] = [await makeCertificate(), await makeCertificate()];
  const server = await startStayd({ tls: first, config: { fronts: 2 } });

  await t.test('1.2 and 1.3 are spoken', async () => {
    for (const version of ['TLSv1.2', 'TLSv1.3']) {
      const { protocol } = await handshake(server.port, { minVersion: version, maxVersion: version });
      assert.equal(protocol, version);
    }
  });

  await t.test('1.1 is refused', async () => {
    const { stdout, stderr } = await run('openssl', ['s_client', '-connect', `127.0.0.1:${server.port}`, '-tls1_1',
      '-cipher', 'ALL:@SECLEVEL=0'], { input: '' });
    assert.match(stdout + stderr, /alert protocol version/);
    assert.match(stdout, /Cipher is \(NONE\)/);
  });

  await t.test('HSTS, and cookies for https alone', async () => {
    await server.addUser('alice', 'seven quiet harbours');
    const client = new Client(server.url, { tls: { ca: first.text, rejectUnauthorized: true } });
    const page = await client.get('/login');
    assert.match(page.headers['strict-transport-security'], /max-age=\d{7,}/);
    const login = await client.post('/api/v1/login', { json: { username: 'alice', password: 'seven quiet harbours' } });
    assert.equal(login.status, 200);
    assert.equal(client.jar.get('__Host-stayd')?.secure, true);
    assert.equal((await client.get('/auth/check')).headers['remote-user'], 'alice');
  });

  await t.test('plain HTTP on its port is no request', async () => {
    const { responses, closed } = await raw(server.port, GET, { timeout: TIMEOUT });
    assert.equal(responses.length, 0);
    assert.equal(closed, true);
  });

  await t.test('pipelined and large, through TLS', async () => {
    const { responses } = await raw(server.port, GET.replace('/livez', '/login').repeat(50), { count: 50, tls: {}, timeout: TIMEOUT });
    assert.equal(responses.filter(({ status }) => status === 200).length, 50);
  });

  await t.test('a new certificate is for new connections; old ones go on', async () => {
    const live = await Connection.open(server.port, { tls: {} });
    live.send(GET);
    await live.responses(1, { timeout: TIMEOUT });
    const before = await handshake(server.port);
    await copyFile(second.certificate, first.certificate);
    await copyFile(second.key, first.key);
    server.reload();
    await server.logged({ event: 'reloaded' }, { timeout: TIMEOUT });
    await until(async () => (await handshake(server.port)).fingerprint !== before.fingerprint, { timeout: TIMEOUT, what: 'the new certificate' });
    live.send(GET);
    assert.equal((await live.responses(2, { timeout: TIMEOUT })).length, 2);
    assert.equal(live.closed, false);
    live.close();
  });

  await t.test('a certificate that is none is refused; the old one stays', async () => {
    await copyFile(first.certificate, first.key);
    server.reload();
    await server.logged({ event: 'reload_failed' }, { timeout: TIMEOUT });
    const { fingerprint } = await handshake(server.port);
    assert.ok(fingerprint);
    assert.equal((await raw(server.port, GET, { count: 1, tls: {}, timeout: TIMEOUT })).responses[0].status, 200);
  });
  await server.stop();
});
