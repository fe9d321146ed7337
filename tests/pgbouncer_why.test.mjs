// SPDX-License-Identifier: ISC
// What stayd sees of its database, and says of it, when all its connections go through Debian's PgBouncer in transaction
// mode: a lock and who holds it, an index that is gone with the statement that makes it, also when PgBouncer has hardly
// more connections than stayd's statements take.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { checkToken, login, metric, onPostgres } from './lib/accounts.mjs';
import { Client } from './lib/http.mjs';
import { ROLE_PASSWORD, startPgbouncer, startPostgres } from './lib/postgres.mjs';
import { atEnd, until } from './lib/process.mjs';
import { FAST, seedDatabase } from './lib/seed.mjs';
import { startStayd } from './lib/stayd.mjs';

const PEOPLE = 200_000;
const SAID_MS = 40_000; // patience, not a bar
let postgres;
let bouncer;
let server;
let load = true;

/** People who log in, some at a time, whatever the answer, until the end. */
async function people(step) {
  for (let i = step; load; i += 4) {
    await login(server, `user${i % PEOPLE}`).catch(() => {});
    await delay(30);
  }
}

/** Tokens that nobody knows, which the database is asked for. */
async function strangers() {
  while (load) {
    await checkToken(server, randomBytes(32).toString('base64url')).catch(() => {});
    await delay(50);
  }
}

before(async () => {
  postgres = await startPostgres({ settings: { ...FAST, max_connections: 40 } });
  bouncer = await startPgbouncer(postgres, { settings: { default_pool_size: 20 } });
  server = await startStayd({ config: onPostgres(postgres, { hosts: [bouncer.port] }, { fronts: 1 }) });
  atEnd(() => server.stop());
  await server.stop(); // it has made the tables
  await seedDatabase(postgres.url({ password: ROLE_PASSWORD }), { users: PEOPLE, sessions: 1000, each: 1, audit: 100, once: 10 });
  await server.start();
  [0, 1, 2, 3].forEach(people);
  [0, 1].forEach(strangers);
  await delay(4000); // what is usual is known
}, { timeout: 120_000 });

after(() => { load = false; });

const why = async () => JSON.parse((await new Client(server.opsUrl).get('/why.json')).text);
const names = (verdict) => (verdict.causes ?? []).map(({ cause }) => cause);

/** The first verdict that names the cause; everything that was named until then is told. */
async function said(t, cause, what = () => true) {
  const [began, seen] = [Date.now(), new Set()];
  const verdict = await until(async () => {
    const now = await why();
    names(now).forEach((name) => seen.add(name));
    return names(now).includes(cause) && what(JSON.stringify(now)) && now;
  }, { timeout: SAID_MS, every: 50, what: cause });
  t.diagnostic(`${cause} after ${Date.now() - began} ms; named until then: ${[...seen].join(', ')}`);
  return { verdict, seen };
}

/** People get in again, and nothing is the matter any more (which the memory that sanitizers keep may gainsay). */
const over = async () => {
  await until(async () => (await login(server, 'user1')).answer.status === 200, { timeout: 15_000, every: 100, what: 'a log-in' });
  await until(async () => (await why()).state === 'healthy', { timeout: 20_000, every: 200, what: 'healthy again' }).catch(() => {});
};

test('all is well: it is a pooler, the server\'s own time is told from the way to it, and nothing is said', async () => {
  await server.logged({ event: 'pooler_found' });
  const figures = async () => [await metric(server, 'stayd_database_probe_seconds_total'), await metric(server, 'stayd_database_server_seconds_total')];
  const [took, own] = await figures();
  assert.ok(own > 0 && own < took, `${own} s of ${took} s`);
  assert.equal((await why()).state, 'healthy');
});

test('a lock that another program holds', async (t) => {
  const release = await postgres.hold('BEGIN; LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE /* \'secret\' */');
  try {
    const { verdict, seen } = await said(t, 'lock_held', (text) => text.includes('accounts') && text.includes('story-'));
    assert.doesNotMatch(JSON.stringify(verdict), /secret/, 'no values');
    assert.ok(!seen.has('database_down'), [...seen].join());
  } finally {
    await release();
  }
  await over();
});

test('a lock that another program holds through the pooler, too', async (t) => {
  const release = await postgres.hold('BEGIN; SELECT 1 FROM accounts WHERE name = \'user1\' FOR UPDATE; LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE',
    { through: bouncer });
  try {
    await said(t, 'lock_held', (text) => text.includes('accounts') && text.includes('pg_sleep(?)'));
  } finally {
    await release();
  }
  await over();
});

test('an index that is gone', async (t) => {
  await postgres.sql('DROP INDEX accounts_name');
  const { verdict } = await said(t, 'slow_statement', (text) => text.includes('INDEX CONCURRENTLY'));
  const text = JSON.stringify(verdict);
  assert.match(text, /account_by_name/);
  assert.match(text, /Seq Scan on accounts/);
  const remedy = /CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS accounts_name ON accounts \(name\)/.exec(text);
  assert.ok(remedy, 'the statement to copy');
  await postgres.sql(remedy[0]);
  await over();
});
