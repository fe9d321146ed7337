// SPDX-License-Identifier: ISC
// Failover to a real standby. Asynchronous replication loses the tail: a session whose end was in it stays ended.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { check, checkToken, clientOf, login, onPostgres, PASSWORD, signedIn, tokenOf } from './lib/accounts.mjs';
import { startPostgres } from './lib/postgres.mjs';
import { atEnd, until } from './lib/process.mjs';
import { startStayd } from './lib/stayd.mjs';

const rowsOf = async (postgres, { id }) => Number(await postgres.sql(
  `SELECT count(*) FROM sessions WHERE public_id = '\\x${Buffer.from(id, 'base64url').toString('hex')}'`));

async function cluster(config) {
  const primary = await startPostgres();
  const standby = await primary.standby();
  const server = await startStayd({ config: onPostgres(primary, { hosts: [primary.port, standby.port] }, { fronts: 1, ...config }) });
  atEnd(() => server.stop());
  for (const name of ['ada', 'eve', 'grace']) await server.addUser(name, PASSWORD);
  return { primary, standby, server };
}

const loggedIn = (server, timeout = 15_000) => until(async () => (await login(server, 'ada')).answer.status === 200, {
  timeout, every: 25, what: 'a log-in' });

test('a standby that lost its tail is promoted', { timeout: 120_000 }, async (t) => {
  const { primary, standby, server } = await cluster();
  const [stays, one, two, byPassword] = [await signedIn(server, 'ada'), await signedIn(server, 'eve'), await signedIn(server, 'grace'),
    await signedIn(server, 'grace')];
  const ended = [one, two, byPassword].map((client) => ({ token: tokenOf(client), session: client.said.session }));
  await standby.caughtUp(primary);
  await standby.detach();
  // Acknowledged by the primary, and never seen by the standby: the end of one, of all others, and a new password.
  assert.equal((await one.post('/api/v1/logout')).status, 204);
  const fresh = 'copper meadow 17 whistle';
  assert.equal((await byPassword.post('/api/v1/password', { json: { current: PASSWORD, new: fresh } })).status, 200);
  ended[2].token = null; // it was replaced
  for (const { token } of ended.slice(0, 2)) assert.equal(await checkToken(server, token), 401);
  await until(async () => (await rowsOf(primary, ended[0].session)) === 0, { what: 'an end in the primary' });
  assert.equal(await rowsOf(standby, ended[0].session), 1, 'the standby does not know');

  await primary.kill();
  assert.equal((await until(async () => {
    const { answer } = await login(server, 'ada');
    return answer.status !== 200 && answer;
  }, { what: 'a refusal' })).status, 503);
  assert.equal(await check(stays), 200, 'known, without any server');
  await standby.promote();
  const began = Date.now();
  await loggedIn(server);
  t.diagnostic(`a log-in works ${Date.now() - began} ms after the promotion`);
  assert.ok(Date.now() - began <= 2000, `${Date.now() - began} ms`);

  const over = async (when) => {
    for (const { token } of ended.slice(0, 2)) {
      await until(async () => (await checkToken(server, token)) === 401, { timeout: 5000, what: `${when}: ended` });
    }
    assert.equal(await check(stays), 200, when);
  };
  await over('at once');
  await until(async () => (await rowsOf(standby, ended[0].session)) === 0, { timeout: 10_000, what: 'the end, on the new primary' });
  assert.deepEqual((await server.ctlJson('session', 'list', 'eve')), []);
  // Whoever knows only the new primary knows no more of them: core, then everything, is begun anew.
  server.kill('stayd-core');
  await server.ready();
  await over('after core was killed');
  await server.restart({ signal: 'SIGKILL' });
  await loggedIn(server);
  await over('after everything was killed');
});

test('an end while there is no server at all, and then a failover', { timeout: 120_000 }, async () => {
  const { primary, standby, server } = await cluster();
  const [stays, goes] = [await signedIn(server, 'ada'), await signedIn(server, 'eve')];
  const [token, { session }] = [tokenOf(goes), goes.said];
  await standby.caughtUp(primary);
  await primary.kill();
  await until(async () => (await login(server, 'ada')).answer.status === 503);
  assert.equal((await goes.post('/api/v1/logout')).status, 204, 'it is in the journal');
  await server.restart({ signal: 'SIGKILL' });
  assert.notEqual(await checkToken(server, token), 200);
  await standby.promote();
  await loggedIn(server);
  assert.equal(await checkToken(server, token), 401);
  assert.equal(await check(stays), 200);
  await until(async () => (await rowsOf(standby, session)) === 0, { what: 'the end, on the new primary' });
});

test('a server that only reads is said to be one, and is left as soon as another writes', { timeout: 60_000 }, async () => {
  const { primary, standby, server } = await cluster();
  const ada = await signedIn(server, 'ada');
  await primary.set({ default_transaction_read_only: 'on' });
  await primary.sql('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = \'stayd\'');
  await server.logged({ event: 'database_read_only', message: /name every server of the cluster/ });
  await until(async () => (await login(server, 'ada')).answer.status === 503);
  assert.equal(await check(ada), 200);
  await standby.promote();
  await loggedIn(server, 5000);
  assert.ok((await standby.connections()).length > 0, 'on the new one');
});
