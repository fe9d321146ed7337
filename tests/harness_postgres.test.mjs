// SPDX-License-Identifier: ISC
// The tests' own PostgreSQL, PgBouncer and proxy of faults: they do what the stories say they do, and nothing stays.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { startFaultProxy } from './lib/fault_proxy.mjs';
import { ROLE, ROLE_PASSWORD, startPgbouncer, startPostgres } from './lib/postgres.mjs';
import { descendants, Program, run, until } from './lib/process.mjs';

let postgres;

before(async () => {
  postgres = await startPostgres({ tls: true, settings: { max_connections: 12 } });
});

const psql = (url, text, { env, ...options } = {}) => run('psql', ['-X', '-q', '-A', '-t', url, '-c', text], {
  env: { PGPASSWORD: ROLE_PASSWORD, PGCONNECT_TIMEOUT: '3', ...env }, ...options });

async function says(url, text, expected, options) {
  const { code, stdout, stderr } = await psql(url, text, options);
  assert.equal(code, 0, stderr);
  assert.equal(stdout.trim(), expected);
}

async function fails(url, pattern, text = 'SELECT 1', options = {}) {
  const { code, stderr } = await psql(url, text, options);
  assert.notEqual(code, 0);
  assert.match(stderr, pattern);
}

test('a role with a password, rows as objects, never as root', async () => {
  await says(postgres.url({ sslmode: 'disable' }), 'SELECT current_user', ROLE);
  await fails(postgres.url({ password: 'wrong' }), /authentication failed/);
  assert.deepEqual(await postgres.rows('SELECT 1 AS a, \'x\' AS b'), [{ a: 1, b: 'x' }]);
  await assert.rejects(postgres.sql('SELECT * FROM nothing'), /does not exist/);
  if (process.getuid() === 0) assert.notEqual(readFileSync(`/proc/${postgres.pid}/status`, 'utf8').match(/^Uid:\s+(\d+)/m)[1], '0');
});

test('TLS by its own authority', async () => {
  const trusted = { sslmode: 'verify-full', sslrootcert: postgres.authority.certificate };
  await says(postgres.url(trusted), 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()', 't');
  const other = await startPostgres({ tls: 'only' });
  await fails(other.url(trusted), /certificate verify failed/);
  await fails(other.url({ sslmode: 'disable' }), /no pg_hba.conf entry/);
  await other.stop();
});

test('stopped, killed, frozen: and what was committed is there', async () => {
  await postgres.sql('CREATE TABLE kept (n int)');
  for (const end of [() => postgres.stop(), () => postgres.stop('immediate'), () => postgres.kill()]) {
    await postgres.sql('INSERT INTO kept VALUES (1)');
    await end();
    await fails(postgres.url(), /refused/);
    await postgres.start();
  }
  assert.equal(await postgres.sql('SELECT count(*) FROM kept'), '3');
  postgres.freeze();
  await fails(postgres.url(), /timeout expired/, 'SELECT 1', { env: { PGCONNECT_TIMEOUT: '2' } });
  postgres.thaw();
  await says(postgres.url(), 'SELECT 1', '1');
});

test('a lock that is held until it is let go', async () => {
  await postgres.sql('CREATE TABLE locked (n int)');
  const release = await postgres.hold('BEGIN; LOCK TABLE locked');
  await assert.rejects(postgres.sql('SET lock_timeout = 100; SELECT * FROM locked'), /lock timeout/);
  await release();
  await postgres.sql('SELECT * FROM locked');
});

test('a standby that is promoted has what it received, and no more', async () => {
  await postgres.sql('CREATE TABLE tail (n int); INSERT INTO tail VALUES (1)');
  const standby = await postgres.standby();
  await standby.detach();
  await postgres.sql('INSERT INTO tail VALUES (2)');
  await fails(standby.url({ user: 'postgres', hosts: [standby.port] }), /./, 'INSERT INTO tail VALUES (9)');
  const hosts = [postgres.port, standby.port];
  const query = { hosts, target_session_attrs: 'read-write' };
  await says(postgres.url(query), 'SHOW port', String(postgres.port));
  await postgres.kill();
  await standby.promote();
  await says(postgres.url(query), 'SHOW port', String(standby.port));
  assert.equal(await standby.sql('SELECT count(*) FROM tail'), '1');
  await standby.stop();
  await postgres.start();
});

test('PgBouncer divides connections by transactions, without prepared statements', async () => {
  const bouncer = await startPgbouncer(postgres, { settings: { default_pool_size: 1 } });
  await says(bouncer.url(), 'SELECT 6 * 7', '42');
  await says(bouncer.url({ database: 'pgbouncer' }).replace('/pgbouncer?', '/pgbouncer'), 'SHOW VERSION', bouncer.log.match(/PgBouncer [\d.]+/)[0]);
  await bouncer.stop();
});

test('the proxy: silent, black hole, refused, delayed, rewritten, reset in mid-statement', async () => {
  const proxy = await startFaultProxy(postgres.port);
  const url = postgres.url({ hosts: [proxy.port], sslmode: 'disable', gssencmode: 'disable' });
  await says(url, 'SELECT 1', '1');
  proxy.mode = 'silent';
  await fails(url, /timeout expired/, 'SELECT 1', { env: { PGCONNECT_TIMEOUT: '2' } });
  proxy.heal();
  proxy.mode = 'refuse';
  await fails(url, /reset by peer|closed the connection/);
  proxy.heal();
  const slow = new Program('psql', ['-X', '-q', '-A', '-t', url, '-c', 'SELECT pg_sleep(0.3)', '-c', 'SELECT 2'], { env: { PGPASSWORD: ROLE_PASSWORD } });
  await until(() => proxy.pairs.size === 1 && [...proxy.pairs][0].authenticated);
  proxy.mode = 'blackhole';
  assert.equal(await Promise.race([slow.exited, new Promise((resolve) => setTimeout(resolve, 800, 'hangs'))]), 'hangs');
  proxy.heal();
  assert.notEqual((await slow.ends()).code, 0);
  proxy.delay = 100;
  const began = Date.now();
  await says(url, 'SELECT 3', '3');
  assert.ok(Date.now() - began >= 600);
  proxy.heal();
  await postgres.sql('CREATE TABLE cut (n int); GRANT ALL ON cut TO stayd');
  for (const [when, count] of [['asked', 0], ['sent', 1], ['answering', 2]]) {
    const cut = proxy.cut({ when, matching: /INSERT/ });
    await fails(url, /reset|closed/, 'INSERT INTO cut VALUES (1)');
    assert.equal(cut.done, 1);
    await until(async () => (await postgres.sql('SELECT count(*) FROM cut')) === String(count), { what: `${when}: ${count}` });
  }
  const version = await postgres.sql('SHOW server_version_num');
  proxy.rewrite = (bytes) => Buffer.from(bytes.toString('latin1').replace(version, '090602'), 'latin1');
  await says(url, 'SHOW server_version_num', '090602');
  await proxy.stop();
});

test('a full disk of its own', async (t) => {
  const full = await startPostgres({ disk: '80m' });
  if (!full.disk) return t.skip('no file system of its own can be mounted here');
  await full.sql('CREATE TABLE big (t text)');
  const file = join(full.disk, 'filler');
  assert.throws(() => writeFileSync(file, Buffer.alloc(80 * 1024 * 1024)), /ENOSPC/);
  await assert.rejects(full.sql('INSERT INTO big SELECT repeat(md5(n::text), 20) FROM generate_series(1, 30000) n'), /No space left/);
  await full.stop();
  return undefined;
});

test('nothing stays', async () => {
  const { pid, folder } = postgres;
  const below = descendants(pid);
  assert.ok(below.length > 2);
  await postgres.stop();
  assert.ok(existsSync(folder), 'until the story ends');
  assert.deepEqual(below.filter((one) => existsSync(`/proc/${one.pid}`)), []);
});
