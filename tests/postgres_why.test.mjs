// SPDX-License-Identifier: ISC
// What stayd sees of its database and says of it, on a real server: a lock and who holds it, an index that is gone, with the
// statement that makes it, a server that is stopped, a network that is slow.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { login, metric, onPostgres } from './lib/accounts.mjs';
import { startFaultProxy } from './lib/fault_proxy.mjs';
import { Client } from './lib/http.mjs';
import { ROLE_PASSWORD, startPostgres } from './lib/postgres.mjs';
import { atEnd, until } from './lib/process.mjs';
import { FAST, seedDatabase } from './lib/seed.mjs';
import { startStayd } from './lib/stayd.mjs';

const PEOPLE = 200_000;
// Patience, not bars: how fast it is seen on a machine of its own is what drills measure.
const SEEN_MS = 30_000;
const SAID_MS = 40_000;
let postgres;
let proxy;
let server;
let load = true;

/** People who log in, some at a time, whatever the answer, until the end. */
async function people(step) {
  for (let i = step; load; i += 4) {
    await login(server, `user${i % PEOPLE}`).catch(() => {});
    await delay(30);
  }
}

before(async () => {
  postgres = await startPostgres({ settings: { ...FAST, max_connections: 40 } });
  proxy = await startFaultProxy(postgres.port);
  const config = onPostgres(postgres, { hosts: [proxy.port] }, { fronts: 1 });
  server = await startStayd({ config });
  atEnd(() => server.stop());
  await server.stop(); // it has made the tables
  await seedDatabase(postgres.url({ password: ROLE_PASSWORD }), { users: PEOPLE, sessions: 1000, each: 1, audit: 100, once: 10 });
  await server.start();
  [0, 1, 2, 3].forEach(people);
  await delay(4000); // what is usual is known
}, { timeout: 120_000 });

after(() => { load = false; });

const sessions = (state) => metric(server, 'stayd_database_sessions', `state="${state}"`);
const why = async () => JSON.parse((await new Client(server.opsUrl).get('/why.json')).text);
const names = (verdict) => (verdict.causes ?? []).map(({ cause }) => cause);
const said = (cause, what = () => true) => until(async () => {
  const verdict = await why();
  return names(verdict).includes(cause) && what(JSON.stringify(verdict)) && verdict;
}, { timeout: SAID_MS, every: 50, what: cause });
/** People get in again, and nothing is the matter any more (which the memory that sanitizers keep may gainsay). */
const over = async () => {
  await until(async () => (await login(server, 'user1')).answer.status === 200, { timeout: 15_000, every: 100, what: 'a log-in' });
  await until(async () => (await why()).state === 'healthy', { timeout: 20_000, every: 200, what: 'healthy again' }).catch(() => {});
};

/** Without its figures, times, and line breaks. */
const plain = (text) => text.replace(/\d[\d.:TZ-]*(?: (?:µs|ms|s|min)\b)?/g, 'N').replace(/^(?:DEGRADED|INCIDENT)/, 'STATE').replace(/\s+/g, ' ').trim();

/** What README.md shows of `stayctl why`, left out parts apart. */
function readmeParts() {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const [, shown] = /^```console\n\$ stayctl why\n([\s\S]*?)^```$/m.exec(readme);
  const parts = shown.split(/^…$/m).flatMap((part) => part.split(/^(?= {2}- )/m)).map(plain).filter(Boolean);
  assert.ok(parts.length >= 5);
  return parts;
}

/** Says how long it took. */
async function soon(t, what, condition, limit = SEEN_MS) {
  const began = Date.now();
  await until(condition, { timeout: limit, every: 20, what });
  t.diagnostic(`${what} after ${Date.now() - began} ms`);
}

test('all is well: a heartbeat is a probe, and nothing is said', async () => {
  const probes = await metric(server, 'stayd_database_probes_total');
  await delay(1500);
  assert.ok(await metric(server, 'stayd_database_probes_total') >= probes + 4);
  const [took, own] = [await metric(server, 'stayd_database_probe_seconds_total'), await metric(server, 'stayd_database_server_seconds_total')];
  assert.ok(own > 0 && own < took, `${own} s of ${took} s`);
  assert.equal((await why()).state, 'healthy');
  assert.equal(server.log.filter(({ event }) => event === 'database_view_limited').length, 2, 'said once at each start');
});

test('a lock that another program holds', async (t) => {
  const release = await postgres.hold('BEGIN; LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE /* \'secret\' */');
  try {
    await soon(t, 'sessions that wait for a lock', async () => (await sessions('waiting_lock')) >= 1);
    const verdict = await said('lock_held', (text) => text.includes('accounts') && text.includes('story-'));
    assert.doesNotMatch(JSON.stringify(verdict), /secret/, 'no values');
    assert.match(JSON.stringify(verdict), /GRANT pg_read_all_stats TO stayd/, 'what it may not see it says how to');
  } finally {
    await release();
  }
  await soon(t, 'no session waits for a lock', async () => (await sessions('waiting_lock')) === 0);
  await over();
});

test('with the right to see it, what the other program runs is said, without its values', async () => {
  await postgres.sql('GRANT pg_read_all_stats TO stayd', { database: 'postgres' });
  const release = await postgres.hold('BEGIN; LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE; SELECT 1 WHERE \'secret\' <> \'\'');
  try {
    const verdict = await said('lock_held', (text) => text.includes('pg_sleep(?)'));
    assert.doesNotMatch(JSON.stringify(verdict), /secret|GRANT/);
  } finally {
    await release();
  }
  await over();
});

test('an index that is gone', async () => {
  await postgres.sql('DROP INDEX accounts_name');
  const verdict = await said('slow_statement', (text) => text.includes('INDEX CONCURRENTLY'));
  assert.match(JSON.stringify(verdict), /account_by_name/);
  assert.match(JSON.stringify(verdict), /Seq Scan on accounts/);
  const remedy = /CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS accounts_name ON accounts \(name\)/.exec(JSON.stringify(verdict));
  assert.ok(remedy, 'the statement to copy');
  const missing = async () => {
    const { stdout } = await server.ctl('why');
    return { stdout, parts: readmeParts().filter((part) => !plain(stdout).includes(part)) };
  };
  await until(async () => (await missing()).parts.length === 0, { every: 200, what: 'what README.md shows' }).catch(async () => {
    const { stdout, parts } = await missing();
    assert.deepEqual(parts, [], stdout);
  });
  await postgres.sql(remedy[0]);
  await over();
});

test('a network that became slow is not the server', async (t) => {
  const figures = async () => ({ probes: await metric(server, 'stayd_database_probes_total'),
    took: await metric(server, 'stayd_database_probe_seconds_total'), own: await metric(server, 'stayd_database_server_seconds_total') });
  const before_ = await figures();
  proxy.delay = 60; // each way
  try {
    await delay(2000);
    const now = await figures();
    const each = (key) => (1000 * (now[key] - before_[key])) / (now.probes - before_.probes);
    t.diagnostic(`a probe takes ${each('took').toFixed(1)} ms, ${each('own').toFixed(2)} ms of it in the server`);
    assert.ok(each('took') >= 60, 'seen');
    assert.ok(each('own') <= 20, 'and not put down to the server');
  } finally {
    proxy.delay = 0;
  }
  await over();
});

test('a server that is stopped', async (t) => {
  const failed = await metric(server, 'stayd_database_connect_failed_total');
  const moved = await metric(server, 'stayd_database_moved_total');
  await postgres.stop();
  try {
    await soon(t, 'attempts to connect that failed', async () => (await metric(server, 'stayd_database_connect_failed_total')) > failed);
    await said('database_down');
  } finally {
    await postgres.start();
  }
  await soon(t, 'the same server, started anew', async () => (await metric(server, 'stayd_database_moved_total')) > moved, 3000);
  await over();
});
