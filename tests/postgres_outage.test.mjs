// SPDX-License-Identifier: ISC
// The database goes away, in each of its ways, and comes back: known sessions are valid all the time, what can't be
// known is said to be unknown, log-ins are refused at once, an end holds at once and for good.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { check, checkToken, clientOf, login, onPostgres, PASSWORD, signedIn, tokenOf } from './lib/accounts.mjs';
import { startFaultProxy } from './lib/fault_proxy.mjs';
import { startPostgres } from './lib/postgres.mjs';
import { atEnd, until } from './lib/process.mjs';
import { startStayd } from './lib/stayd.mjs';

const REFUSED_MS = 50;
const HEALTHY_MS = 2000;

let postgres;
let proxy;
let server;

before(async () => {
  postgres = await startPostgres({ settings: { log_connections: 'on', max_connections: 30 } });
  proxy = await startFaultProxy(postgres.port);
  server = await startStayd({ config: onPostgres(postgres, { hosts: [proxy.port] }, { fronts: 2 }) });
  atEnd(() => server.stop());
  for (const name of ['ada', 'eve', 'grace']) await server.addUser(name, PASSWORD);
});

const storeDown = (down = true) => until(async () => (await login(server, 'ada')).answer.status === (down ? 503 : 200), {
  timeout: 15_000, every: 50, what: down ? 'a refusal' : 'a log-in' });

const rowsOf = async (session) => Number(await postgres.sql(
  `SELECT count(*) FROM sessions WHERE public_id = '\\x${Buffer.from(session.id, 'base64url').toString('hex')}'`));

/** Bare tokens nobody has given out, each from an address of its own. */
const unknown = (i) => clientOf(server, { address: `127.0.40.${i}`, headers: { authorization: `Bearer ${randomBytes(32).toString('base64url')}` } });

function refusal({ status, headers, text }) {
  assert.equal(status, 503, text);
  assert.ok(Number(headers['retry-after']) >= 1, 'Retry-After');
  assert.match(headers['content-type'], /^application\/problem\+json/);
  assert.doesNotMatch(text, /postgres|127\.0\.0\.1|sql/i, 'no internals');
}

async function holdsThrough(known) {
  for (const client of known) assert.equal(await check(client), 200, 'a known session');
  for (let i = 1; i <= 4; i += 1) {
    const answer = await unknown(i).get('/auth/check');
    assert.equal(answer.status, 503, 'what is not known is not "no"');
    assert.ok(Number(answer.headers['retry-after']) >= 1);
  }
  assert.equal((await clientOf(server).get('/readyz')).status, 200);
  const times = [];
  for (let i = 0; i < 20; i += 1) {
    const client = clientOf(server);
    const began = performance.now();
    refusal((await login(server, ['ada', 'nobody'][i % 2], PASSWORD, { client })).answer);
    times.push(performance.now() - began);
  }
  times.sort((a, b) => a - b);
  assert.ok(times[17] <= REFUSED_MS, `refusals: ${times.map((one) => one.toFixed(1)).join(' ')} ms`);
}

const ways = {
  'stopped': [() => postgres.stop(), () => postgres.start()],
  'killed': [() => postgres.kill(), () => postgres.start()],
  'frozen': [() => postgres.freeze(), () => postgres.thaw()],
  'a network that swallows everything': [() => { proxy.mode = 'blackhole'; }, () => proxy.heal()],
  'refused': [() => { proxy.mode = 'refuse'; proxy.reset(); }, () => proxy.heal()],
};

/** Runs `story` while the database is away in that way; it is back in any case. */
async function away([begin, end], story) {
  await begin();
  try {
    await story();
  } catch (error) {
    await end();
    throw error;
  }
  const began = Date.now();
  await end();
  return { took: Date.now() - began, back: Date.now() };
}

/** Ends sessions of people, without a database: what they were. */
async function endSome(byGrace, leaving, one, two) {
  const ended = [leaving, one, two].map((client) => ({ token: tokenOf(client), session: client.said.session }));
  assert.equal((await leaving.post('/api/v1/logout')).status, 204, 'a log-out');
  // Which one an id of the list names only the database knows: that is said, and nothing is promised.
  assert.equal((await byGrace.delete(`/api/v1/sessions/${one.said.session.id}`)).status, 503, 'the end of one by its id');
  assert.equal(await check(one), 200);
  assert.equal((await byGrace.delete('/api/v1/sessions')).status, 204, 'the end of the others');
  for (const { token } of ended) assert.equal(await checkToken(server, token), 401);
  return ended;
}

for (const [name, way] of Object.entries(ways)) {
  test(`the database ${name}`, async (t) => {
    await storeDown(false);
    const known = await Promise.all(['ada', 'eve', 'grace'].map((who) => signedIn(server, who)));
    const leaving = [await signedIn(server, 'eve'), await signedIn(server, 'grace'), await signedIn(server, 'grace')];
    const pids = server.children();
    let ended;
    let opened;
    const over = async (when) => {
      for (const { token } of ended) assert.notEqual(await checkToken(server, token), 200, when);
      for (const client of known) assert.equal(await check(client), 200, when);
    };
    const { took, back } = await away(way, async () => {
      const gone = Date.now();
      await storeDown();
      t.diagnostic(`noticed by a log-in after ${Date.now() - gone} ms`);
      await holdsThrough(known);
      ended = await endSome(known[2], ...leaving);
      // Acknowledged: they survive whoever keeps them.
      const [store] = server.kill('stayd-store');
      await until(() => server.children()['stayd-store']?.some((pid) => pid !== store), { what: 'another store' });
      await over('after the store was killed');
      const [core] = server.kill('stayd-core');
      await over('after core was killed');
      // A front that has not noticed yet would still call itself ready.
      await until(() => server.children()['stayd-core']?.some((pid) => pid !== core), { what: 'another core' });
      await server.ready(5000);
      await storeDown();
      await holdsThrough(known);
      opened = postgres.log.split('connection authorized').length;
    });
    await storeDown(false);
    t.diagnostic(`a log-in works ${Date.now() - back} ms after the server is back (which took ${took} ms)`);
    assert.ok(Date.now() - back <= HEALTHY_MS, `${Date.now() - back} ms until a log-in`);
    for (const { session } of ended) {
      await until(async () => (await rowsOf(session)) === 0, { timeout: 5000, what: 'an end in the database' });
    }
    await over('afterwards');
    await delay(500);
    const connections = postgres.log.split('connection authorized: user=stayd').length - opened;
    assert.ok(connections <= 12, `${connections} connections opened: a herd`);
    for (const child of ['stayd-front', 'stayd-hash', 'stayd-key']) assert.deepEqual(server.children()[child], pids[child], `${child} was not touched`);
  });
}

test('all of it restarted while the database is away: nothing that was ended comes back, nothing is "not logged in"', async () => {
  await storeDown(false);
  const [stays, goes] = [await signedIn(server, 'ada'), await signedIn(server, 'ada')];
  const gone = tokenOf(goes);
  await away(ways.stopped, async () => {
    await storeDown();
    assert.equal((await goes.post('/api/v1/logout')).status, 204);
    await server.stop({ signal: 'SIGKILL' });
    await server.start();
    assert.equal(await check(stays), 503, 'not known, without a table and a database');
    assert.notEqual(await checkToken(server, gone), 200);
  });
  await until(async () => (await check(stays)) === 200, { timeout: 10_000, what: 'the session, from the database' });
  assert.equal(await checkToken(server, gone), 401);
  await until(async () => (await rowsOf(goes.said.session)) === 0, { what: 'the end in the database' });
});

test('the database is away when stayd starts', async () => {
  await storeDown(false);
  const client = await signedIn(server, 'eve');
  await server.stop();
  await away(ways.stopped, async () => {
    await server.start();
    await server.logged({ event: 'store_down' });
    assert.equal(await check(client), 503);
    refusal((await login(server, 'eve')).answer);
    const done = await server.ctl('user', 'list');
    assert.equal(done.code, 3, done.stderr);
  });
  await storeDown(false);
  assert.equal(await check(client), 200);
});

test('connections cut in mid-statement: what was acknowledged is there, what was not is not said to be', async () => {
  const counts = { granted: 0, refused: 0 };
  const granted = [];
  for (let round = 0; round < 24; round += 1) {
    const cut = proxy.cut({ when: ['asked', 'sent', 'answering'][round % 3], skip: round % 5 });
    const { client, answer } = await login(server, 'ada');
    if (answer.status === 200) {
      granted.push(Object.assign(client, { said: answer.json() }));
    } else {
      refusal(answer);
    }
    counts[answer.status === 200 ? 'granted' : 'refused'] += 1;
    if (round % 4 === 3 && granted.length > 1) {
      proxy.cut({ when: ['sent', 'asked', 'answering'][round % 3] });
      const client_ = granted.shift();
      const token = tokenOf(client_);
      assert.equal((await client_.post('/api/v1/logout')).status, 204);
      assert.equal(await checkToken(server, token), 401);
      await until(async () => (await rowsOf(client_.said.session)) === 0, { what: 'an end in the database' });
    }
    await until(() => cut.done > 0 || cut.skip >= 0);
    proxy.cuts = [];
  }
  for (const client of granted) {
    assert.equal(await rowsOf(client.said.session), 1);
    assert.equal(await check(client), 200);
  }
  assert.ok(counts.granted >= 12, JSON.stringify(counts));
  const dead = await postgres.sql('SELECT count(*) FROM pg_stat_activity WHERE usename = \'stayd\' AND state LIKE \'idle in transaction%\'');
  assert.equal(dead, '0', 'no transaction is left open');
});
