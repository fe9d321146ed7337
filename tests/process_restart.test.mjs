// SPDX-License-Identifier: ISC
// Processes that die: each killed in turn under load, hung, crashed by a request, dying again and again. What
// was acknowledged stays so, only what was in flight fails, and the record says why.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Client, Connection } from './lib/http.mjs';
import { atEnd, until } from './lib/process.mjs';
import { startStayd } from './lib/stayd.mjs';

const PASSWORD = 'seven quiet harbours';
const people = ['alice', 'bob', 'carol', 'dave'];
let server;

before(async () => {
  server = await startStayd({ config: { fronts: 2, session_max: '30d' } });
  atEnd(() => server.stop());
  for (const name of people) await server.addUser(name, PASSWORD);
});

async function login(username, options) {
  const client = new Client(server.url, options);
  const answer = await client.post('/api/v1/login', { json: { username, password: PASSWORD, token: true } });
  return { client, answer, token: answer.status === 200 ? answer.json().session?.token ?? answer.json().token : undefined };
}

/** 200, 401 or 503 of a session, asked without cookies or keep-alive; "lost" when there was no answer. */
async function check(token) {
  const client = new Client(server.url);
  try {
    return (await client.get('/auth/check', { headers: { authorization: `Bearer ${token}` } })).status;
  } catch {
    return 'lost';
  }
}

/**
 * A load of checks, logins and logouts until stop(). It keeps what was acknowledged: sessions that live, sessions
 * that ended. Whatever answer comes must be one of those allowed; a connection that breaks is counted.
 */
class Load {
  constructor() {
    Object.assign(this, { live: [], ended: [], odd: [], lost: 0, done: 0, unavailable: 0, running: true });
    this.agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
    this.workers = [...Array(3).keys()].map(() => this.repeat(() => this.check()));
    this.workers.push(...[0, 1].map((i) => this.repeat(() => this.change(people[i]))));
  }

  async repeat(step) {
    while (this.running) {
      try {
        await step();
        this.done += 1;
      } catch (error) {
        this.lost += 1; // the process that had it is gone
        if (!/ECONN|EPIPE|socket hang up/.test(`${error.code} ${error.message}`)) this.odd.push(error.message);
        await delay(20);
      }
    }
  }

  async check() {
    const token = this.live[Math.floor(Math.random() * this.live.length)];
    if (!token) return delay(10);
    const client = new Client(server.url, { agent: this.agent });
    const { status } = await client.get('/auth/check', { headers: { authorization: `Bearer ${token}` } });
    if (status === 503) this.unavailable += 1;
    else if (status !== 200) this.odd.push(`a session that was granted: ${status}`);
    return undefined;
  }

  async change(username) {
    const { answer, token } = await login(username, { agent: this.agent });
    if (answer.status === 503) this.unavailable += 1;
    else if (answer.status !== 200) this.odd.push(`login: ${answer.status} ${answer.text}`);
    if (!token) return delay(50);
    if (this.live.length < 20) return this.live.push(token);
    const client = new Client(server.url, { agent: this.agent });
    const out = await client.post('/api/v1/logout', { headers: { authorization: `Bearer ${token}` } });
    if (out.status < 300) this.ended.push(token);
    else if (out.status !== 503) this.odd.push(`logout: ${out.status} ${out.text}`);
    return undefined;
  }

  async stop() {
    this.running = false;
    await Promise.all(this.workers);
    this.agent.destroy();
  }
}

/** Every session is as it was left: live ones valid, ended ones not. No answer is a guess. */
async function settled(load) {
  for (const [tokens, expected] of [[load.live, 200], [load.ended, 401]]) {
    for (const token of tokens) {
      await until(async () => {
        const status = await check(token);
        assert.ok([expected, 503, 'lost'].includes(status), `${status} for one that must be ${expected}`);
        return status === expected;
      }, { timeout: 20_000, what: `${expected} for a session` });
    }
  }
}

test('kill -9 of each child in turn under load', async (t) => {
  const load = new Load();
  await until(() => load.live.length >= 5 && load.done > 30, { timeout: 60_000, what: 'a load' });
  for (const name of ['front', 'core', 'store', 'hash', 'key', 'watch', 'core', 'front']) {
    await t.test(`stayd-${name}`, async () => {
      const before = load.done;
      const lost = load.lost;
      const pids = server.kill(`stayd-${name}`, 'SIGKILL');
      await server.replaced(`stayd-${name}`, pids, 30_000);
      await until(() => load.done > before + 20, { timeout: 30_000, what: 'answers again' });
      assert.deepEqual(load.odd, []);
      // A front takes its requests in flight with it, and connections that node believes are there; the others
      // lose no connection: they are waited for, or their requests are answered with 503.
      assert.ok(load.lost - lost <= (name === 'front' ? 13 : 0), `${load.lost - lost} requests were lost`);
    });
  }
  await load.stop();
  assert.deepEqual(load.odd, []);
  await t.test('what was acknowledged is so', () => settled(load));
  await t.test('and is so after kill -9 of everything and a new start', async () => {
    for (const pid of [server.pid, ...Object.values(server.children()).flat()]) process.kill(pid, 'SIGKILL');
    await server.stop({ signal: 'SIGKILL' });
    await server.start();
    await settled(load);
  });
});

test('all fronts and core at once', async () => {
  const kept = await login('carol');
  const ended = await login('carol');
  const out = await ended.client.post('/api/v1/logout', { headers: { authorization: `Bearer ${ended.token}` } });
  assert.ok(out.status < 300);
  assert.equal(await check(ended.token), 401);
  const [fronts, core] = [server.kill('stayd-front', 'SIGKILL'), server.kill('stayd-core', 'SIGKILL')];
  await server.replaced('stayd-front', fronts, 30_000);
  await server.replaced('stayd-core', core, 30_000);
  await settled({ live: [kept.token], ended: [ended.token] });
});

test('a session is checked while core and store are away', async () => {
  const { token } = await login('dave');
  const [core, store] = [server.kill('stayd-core', 'SIGSTOP'), server.kill('stayd-store', 'SIGSTOP')];
  for (let i = 0; i < 10; i++) assert.equal(await check(token), 200);
  await server.replaced('stayd-core', core, 30_000);
  await server.replaced('stayd-store', store, 30_000);
  assert.equal(await check(token), 200);
});

const deaths = (fields) => server.log.filter((entry) => entry.event === 'process_died'
  && Object.entries(fields).every(([key, value]) => entry[key] === value));

test('a child that hangs is killed, and started again', async (t) => {
  for (const name of ['stayd-front', 'stayd-hash', 'stayd-key']) {
    await t.test(name, async () => {
      const before = deaths({ name, cause: 'hung' }).length;
      const pids = server.kill(name, 'SIGSTOP', 0);
      await until(() => deaths({ name, cause: 'hung' }).length > before, { timeout: 30_000, what: 'its death' });
      await until(() => !(server.children()[name] ?? []).includes(pids[0]), { timeout: 10_000 });
      await server.ready(30_000);
      assert.ok(server.log.some((entry) => entry.event === 'process_hung' && entry.message.startsWith(name)));
    });
  }
  await until(async () => (await login('alice')).answer.status === 200, { timeout: 30_000, what: 'a login' });
});

test('a request that hangs a front: others are served meanwhile, and the record names its class', async () => {
  const hang = await startStayd({ config: { fronts: 2 } });
  const stuck = await Connection.open(hang.port);
  stuck.send('GET /register HTTP/1.1\r\nHost: a\r\nX-Stayd-Fault: hang\r\n\r\n');
  const died = hang.logged({ event: 'process_died', name: 'stayd-front', cause: 'hung' }, { timeout: 30_000 });
  for (let i = 0; i < 5; i++) {
    // What the hung front had accepted waits with it; whoever tries again is served by the other.
    const answer = await until(() => new Client(hang.url).get('/login', { timeout: 2000 }).catch(() => null), { timeout: 30_000, what: 'an answer' });
    assert.equal(answer.status, 200);
  }
  assert.equal((await died).class, 'page');
  stuck.close();
  await until(() => hang.children()['stayd-front']?.length === 2, { timeout: 20_000, what: 'both fronts' });
  await hang.ready(30_000);
  await hang.stop({ crashes: true });
});

test('a request that crashes a front: the record tells what was in flight, and no secret', async () => {
  const crash = await startStayd({ config: { fronts: 1, registration: 'open', trusted_proxies: '' } });
  const SECRET = 'Zebra-Wolken-47-geheim';
  const body = JSON.stringify({ username: 'mallory', password: SECRET });
  const connection = await Connection.open(crash.port);
  connection.send('POST /api/v1/login HTTP/1.1\r\nHost: a\r\nX-Stayd-Fault: crash\r\nContent-Type: application/json\r\n'
    + `Authorization: Bearer ${'Geheimnis'.repeat(5).slice(0, 43)}\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  assert.equal((await connection.responses(1, { timeout: 20_000 })).length, 0);
  connection.close();
  const died = await crash.logged({ event: 'process_died', name: 'stayd-front' }, { timeout: 20_000 });
  const wanted = { cause: 'crashed', class: 'login', source: '127.0.0.1', build_id: /^[0-9a-f]{40}$/, backtrace: /fault_crash\+0x.*route_handle\+0x/, signal: /^SIG(SEGV|ABRT)$/ };
  for (const [key, value] of Object.entries(wanted)) assert.match(died[key] ?? '', value instanceof RegExp ? value : new RegExp(`^${value}$`), key);
  await crash.ready(30_000);
  const folder = join(crash.dataDir, 'incidents');
  const [file] = readdirSync(folder).filter((name) => /^crash-.*stayd-front/.test(name));
  const record = readFileSync(join(folder, file), 'utf8');
  for (const pattern of [/^stayd-front 0 crashed at/, /^signal SIG(SEGV|ABRT)$/m, /^build id [0-9a-f]{40}$/m,
    /^in flight: a request of class login from 127\.0\.0\.1$/m, /^  fault_crash\+0x/m]) assert.match(record, pattern);
  const ops = new Client(crash.opsUrl);
  const shown = await until(async () => {
    const [, path] = /href="(\/incidents\/[^"]+)"/.exec((await ops.get('/incidents')).text) ?? [];
    return path && (await ops.get(path)).text;
  }, { timeout: 20_000, what: 'the record on the ops listener' });
  for (const text of [record, crash.output, shown]) {
    assert.ok(!text.includes(SECRET) && !text.includes('Geheimnis') && !text.includes('mallory'), text);
  }
  await crash.stop({ crashes: true });
});

test('a source whose requests keep crashing fronts is refused, others are served', async () => {
  const crash = await startStayd({ config: { fronts: 2 } });
  const from = (localAddress) => new Client(crash.url, { connect: { host: '127.0.0.1', port: crash.port, localAddress } });
  const bad = from('127.0.0.66');
  for (let i = 0; i < 2; i++) {
    await assert.rejects(bad.get('/login', { headers: { 'x-stayd-fault': 'crash' } }));
    await until(() => crash.log.filter(({ event }) => event === 'process_died').length === i + 1, { timeout: 20_000, what: 'a death' });
    await until(() => crash.children()['stayd-front']?.length === 2, { timeout: 20_000, what: 'both fronts' });
  }
  const told = await crash.logged({ event: 'source_penalised' }, { timeout: 20_000 });
  assert.match(told.message, /127\.0\.0\.66.*refused for 60 s/);
  const refused = await until(async () => {
    const answers = [];
    for (let i = 0; i < 6; i++) answers.push(await bad.get('/login').catch(() => ({ status: 'lost', headers: {} })));
    return answers.every(({ status }) => status === 429 || status === 'lost') && answers.find(({ status }) => status === 429);
  }, { timeout: 20_000, what: 'refused by every front' });
  assert.ok(Number(refused.headers['retry-after']) > 0);
  for (let i = 0; i < 6; i++) {
    assert.equal((await from('127.0.0.1').get('/login')).status, 200);
    assert.equal((await from('127.0.0.67').get('/login')).status, 200);
  }
  // A front that is started later knows it too.
  await crash.replaced('stayd-front', crash.kill('stayd-front', 'SIGKILL'), 30_000);
  for (let i = 0; i < 6; i++) assert.ok([429, 'lost'].includes((await bad.get('/login').catch(() => ({ status: 'lost' }))).status));
  await crash.stop({ crashes: true });
});

test('a child that keeps dying: fast first, then later and later; the others serve on', async () => {
  const sick = await startStayd({ config: { fronts: 1 } });
  const before = sick.log.filter(({ event }) => event === 'process_died').length;
  for (let i = 0; i < 4; i++) {
    const pids = await until(() => sick.children()['stayd-hash'], { timeout: 20_000, what: 'stayd-hash' });
    process.kill(pids[0], 'SIGKILL');
    await until(() => sick.log.filter(({ event }) => event === 'process_died').length === before + i + 1, { timeout: 20_000, what: 'its death' });
  }
  const waits = sick.log.filter(({ event }) => event === 'process_died').map((entry) => Number(entry.restart_in_ms));
  assert.equal(waits[0], 0);
  for (let i = 1; i < 4; i++) assert.ok(waits[i] > waits[i - 1], waits.join(' '));
  assert.equal((await new Client(sick.url).get('/login')).status, 200);
  await sick.stop();
});
