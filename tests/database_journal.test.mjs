// SPDX-License-Identifier: ISC
// Ends of sessions through what happens to a PostgreSQL: away, killed, replaced by a standby that lost its tail. What was
// acknowledged as ended stays ended, whoever dies in between.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { check, checkToken, holdStill, metric, onPostgres, PASSWORD, signedIn, tokenOf } from './lib/accounts.mjs';
import { startPostgres } from './lib/postgres.mjs';
import { atEnd, until } from './lib/process.mjs';
import { startStayd } from './lib/stayd.mjs';

async function start(postgres, options, users = ['ada', 'eve', 'grace']) {
  const server = await startStayd({ config: onPostgres(postgres, options) });
  atEnd(() => server.stop({ crashes: true }));
  for (const name of users) await server.addUser(name, PASSWORD);
  return server;
}

const down = (server) => until(async () => (await server.ctlJson('status')).store === 'down', { timeout: 10_000, every: 50, what: 'the store down' });
const up = (server) => until(async () => (await server.ctlJson('status')).store === 'up', { timeout: 20_000, every: 50, what: 'the store up' });
const sessions = async (postgres) => Number(await postgres.sql('SELECT count(*) FROM sessions'));
const replayed = (server) => until(async () => (await metric(server, 'stayd_journal_entries')) === 0, {
  timeout: 20_000, every: 100, what: 'a journal without anything to replay' });

/** What 401 means without a database: only the journal can know it. */
async function stillEnded(server, token) {
  assert.equal(await checkToken(server, token), 401);
}

/** Kills the process and waits for the next. */
async function killed(server, name) {
  await server.replaced(name, server.kill(name));
}

test('ended while the database is away: acknowledged, kept over kill -9, in the database when it is back', async () => {
  const postgres = await startPostgres();
  const server = await start(postgres);
  const [leaving, staying, eve, eve2, grace] = [await signedIn(server), await signedIn(server), await signedIn(server, 'eve'),
    await signedIn(server, 'eve'), await signedIn(server, 'grace')];
  const [gone, gone2, gone3] = [leaving, eve2, grace].map(tokenOf);
  await postgres.stop();
  await down(server);

  const begun = Date.now();
  assert.ok((await leaving.post('/api/v1/logout')).status < 300, 'a session');
  assert.ok((await eve.delete('/api/v1/sessions')).status < 300, 'all others');
  assert.ok(Date.now() - begun < 1000, `at once, not after ${Date.now() - begun} ms`);
  assert.ok((await grace.post('/api/v1/logout')).status < 300);
  for (const token of [gone, gone2, gone3]) await stillEnded(server, token);

  await killed(server, 'stayd-store');
  await killed(server, 'stayd-core');
  for (const token of [gone, gone2, gone3]) assert.notEqual(await checkToken(server, token), 200);
  await until(async () => (await checkToken(server, gone)) === 401, { timeout: 10_000, what: 'the journal\'s word' });
  await stillEnded(server, gone3);
  assert.equal(await checkToken(server, randomBytes(32).toString('base64url')), 503, 'what nobody knows');
  for (const client of [staying, eve]) assert.equal(await check(client), 200);

  await postgres.start();
  await up(server);
  await replayed(server);
  assert.equal(await sessions(postgres), 2, 'ended in the database, too');
  for (const token of [gone, gone2, gone3]) await stillEnded(server, token);
  for (const client of [staying, eve]) assert.equal(await check(client), 200);
  assert.equal((await signedIn(server, 'grace')).said.user.username ?? 'grace', 'grace');
  await server.restart();
  for (const token of [gone, gone2, gone3]) await stillEnded(server, token);
  for (const client of [staying, eve]) assert.equal(await check(client), 200);
});

test('all of stayd killed and started while the database is away', async () => {
  const postgres = await startPostgres();
  const server = await start(postgres);
  const [leaving, staying] = [await signedIn(server), await signedIn(server)];
  await postgres.kill();
  await down(server);
  assert.ok((await leaving.post('/api/v1/logout')).status < 300);
  await server.restart({ signal: 'SIGKILL' });
  await until(async () => (await checkToken(server, tokenOf(leaving))) === 401, { timeout: 10_000, what: 'the journal\'s word' });
  assert.equal(await check(staying), 503, 'only the database knows');
  await postgres.start();
  await up(server);
  assert.equal(await check(staying), 200);
  await stillEnded(server, tokenOf(leaving));
  await replayed(server);
  assert.equal(await sessions(postgres), 1);
});

test('a server that takes connections and never answers: an end is acknowledged all the same', async () => {
  const postgres = await startPostgres();
  const server = await start(postgres, {}, ['ada']);
  const [leaving, staying] = [await signedIn(server), await signedIn(server)];
  postgres.freeze();
  const answer = await leaving.post('/api/v1/logout');
  assert.ok(answer.status < 300, `${answer.status} ${answer.text}`);
  await killed(server, 'stayd-store');
  await until(async () => (await checkToken(server, tokenOf(leaving))) === 401, { timeout: 10_000, what: 'the journal\'s word' });
  postgres.thaw();
  await up(server);
  await replayed(server);
  assert.equal(await sessions(postgres), 1);
  assert.equal(await check(staying), 200);
});

test('a failover that loses the tail brings no session back', async () => {
  const primary = await startPostgres();
  const standby = await primary.standby();
  const server = await start(primary, { hosts: [primary.port, standby.port] }, ['ada', 'eve', 'grace', 'hedy']);
  const [leaving, staying, eve, eve2, grace] = [await signedIn(server), await signedIn(server), await signedIn(server, 'eve'),
    await signedIn(server, 'eve'), await signedIn(server, 'grace')];
  await standby.caughtUp(primary);
  await standby.detach();

  assert.ok((await leaving.post('/api/v1/logout')).status < 300);
  assert.ok((await eve.delete('/api/v1/sessions')).status < 300);
  const changed = await grace.post('/api/v1/password', { json: { current: PASSWORD, new: `${PASSWORD} again` } });
  assert.ok(changed.status < 300, changed.text);
  const before = await signedIn(server, 'hedy');
  assert.equal((await server.ctl('user', 'delete', 'hedy')).code, 0);
  await until(async () => (await server.ctlJson('status')).ends_pending === 0, { what: 'all ends durable' });
  const over = [leaving, eve2, before].map(tokenOf);
  assert.equal(await sessions(primary), 3);
  assert.equal(await sessions(standby), 5, 'the standby has not heard of it');

  // Nothing may be changed there: what is said of the sessions is said by the journal alone.
  const storeGoesOn = await holdStill(server, 'stayd-store');
  await primary.kill();
  await standby.promote();
  const goOn = await standby.hold('BEGIN; LOCK TABLE sessions IN SHARE MODE');
  await storeGoesOn();
  await up(server);
  await killed(server, 'stayd-core');
  await up(server);
  for (const token of over) await stillEnded(server, token);
  await server.restart(); // the tables are read anew
  await up(server);
  for (const token of over) await stillEnded(server, token);
  for (const client of [staying, eve]) assert.equal(await check(client), 200);
  assert.equal(await sessions(standby), 5);
  await goOn();

  await until(async () => (await sessions(standby)) === 2, { timeout: 20_000, what: 'the ends said to the new server' });
  await replayed(server);
  for (const token of over) await stillEnded(server, token);
  assert.equal((await signedIn(server, 'eve')).said.user !== undefined, true, 'a log-in at the raised epoch');
});
