// SPDX-License-Identifier: ISC
// A million accounts and three million sessions, in a real PostgreSQL and in SQLite: every statement finds its rows by
// the index that it should and reads no more of them than it says. An index that is dropped is missed, by name.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { CHEAP, check, checkToken, login, onPostgres, PASSWORD, sql } from './lib/accounts.mjs';
import { ROLE_PASSWORD, startPostgres } from './lib/postgres.mjs';
import { atEnd, run } from './lib/process.mjs';
import { FAST, seedDatabase, seededTokens, seedFile } from './lib/seed.mjs';
import { executable, startStayd } from './lib/stayd.mjs';

const COUNTS = { users: 1_000_000, sessions: 3_000_000, each: 3, audit: 300_000, once: 100_000 };

const servers = {}; // by the database's kind

before(async () => {
  const postgres = await startPostgres({ settings: FAST });
  const config = { sqlite: { ...CHEAP, fronts: 1 }, postgres: onPostgres(postgres, {}, { fronts: 1 }) };
  await Promise.all(Object.keys(config).map(async (name) => { // one a processor
    const server = await startStayd({ config: config[name] });
    atEnd(() => server.stop());
    await server.stop(); // it has made the tables
    servers[name] = Object.assign(server, name === 'postgres' ? { postgres, database: 'stayd' } : {});
    await (name === 'postgres' ? seedDatabase(postgres.url({ password: ROLE_PASSWORD }), COUNTS) : seedFile(server, COUNTS));
  }));
}, { timeout: 500_000 });

/** The report of a database of tests: changes are run too, and rolled back, so that the rows they read are counted. */
async function report(server, depth = 'run') {
  const where = server.postgres ? [server.config.database, '', ROLE_PASSWORD] : [`${server.dataDir}/store/stayd.db`, '', ''];
  const { code, stdout, stderr } = await run(executable('stayd-store'), ['--check-db', depth], { input: `${where.join('\n')}\n`, timeout: 120_000 });
  assert.ok([0, 1].includes(code), stderr);
  return { code, ...JSON.parse(stdout) };
}

for (const name of ['postgres', 'sqlite']) {
  test(`${name}: the plan of every statement, and the rows that it reads`, { timeout: 200_000 }, async (t) => {
    const server = servers[name];
    const found = await report(server);
    for (const one of found.statements) assert.ok(one.holds, `${one.name}: ${one.why} ${one.remedy}`);
    assert.equal(found.code, 0);
    assert.ok(found.statements.length >= 30, `${found.statements.length} statements`);
    assert.deepEqual(found.statements.filter(({ small }) => small).map((one) => one.name), [], 'no table is small here');
    for (const one of found.statements.filter(({ rows, rows_max: most }) => rows !== null && most > 0)) { // 0: a walk, with a limit
      assert.ok(one.rows <= one.rows_max, `${one.name} read ${one.rows} rows, not ${one.rows_max}`);
    }
    t.diagnostic(`${found.statements.length} statements, rows counted of ${found.statements.filter(({ rows }) => rows !== null).length}`);
    if (name === 'postgres') {
      assert.deepEqual(found.missing_indexes, []);
      assert.equal(await server.postgres.sql('SELECT count(*) FROM sessions'), String(COUNTS.sessions), 'nothing was changed');
    }
  });
}

/** What of the tables' indexes no constraint makes: name → statement. */
async function indexes(postgres) {
  const rows = await postgres.rows(`SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS text FROM pg_index
    JOIN pg_class AS t ON t.oid = indrelid WHERE t.relname IN ('accounts', 'sessions', 'once', 'audit')
    AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid)`);
  return new Map(rows.map(({ name, text }) => [name, text]));
}

test('postgres: each index that is dropped is missed, named with the statement that makes it', { timeout: 200_000 }, async (t) => {
  const server = servers.postgres;
  const { postgres } = server;
  const all = await indexes(postgres);
  for (const name of ['accounts_name', 'sessions_account', 'sessions_public_id', 'once_expires', 'audit_username']) {
    assert.ok(all.has(name), [...all.keys()].join());
  }
  for (const name of all.keys()) {
    await postgres.sql(`DROP INDEX ${name}`);
    const found = await report(server, 'json');
    assert.equal(found.code, 1, name);
    assert.ok(JSON.stringify(found.missing_indexes).includes(`"${name}"`), JSON.stringify(found.missing_indexes));
    const slow = found.statements.filter(({ holds }) => !holds);
    t.diagnostic(`${name}: ${slow.map((one) => one.name).join(' ')}`);
    assert.ok(slow.every(({ remedy }) => remedy.includes(name)), JSON.stringify(slow));
    const { stdout, code } = await server.ctl('check-db', { timeout: 60_000 });
    assert.equal(code, 1);
    const remedy = new RegExp(`CREATE (?:UNIQUE )?INDEX .*\\b${name}\\b.*`).exec(stdout)?.[0];
    assert.ok(remedy, stdout);
    await postgres.sql(`SET ROLE stayd;\n${remedy}`);
    assert.equal((await indexes(postgres)).get(name), all.get(name), 'as it was');
  }
  assert.equal((await server.ctl('check-db', { timeout: 60_000 })).code, 0);
});

test('sqlite: an index that is dropped is missed', { timeout: 100_000 }, async () => {
  const server = servers.sqlite;
  const text = 'CREATE UNIQUE INDEX sessions_public_id ON sessions (public_id)';
  await sql(server, 'DROP INDEX sessions_public_id');
  const { code, stdout, stderr } = await server.ctl('check-db', { timeout: 60_000 });
  assert.equal(code, 1, stderr);
  assert.match(stdout + stderr, /sessions_public_id/);
  await sql(server, text);
  assert.equal((await server.ctl('check-db', { timeout: 60_000 })).code, 0);
});

for (const name of ['postgres', 'sqlite']) {
  test(`${name}: stayd serves them at once`, { timeout: 60_000 }, async () => {
    const server = servers[name];
    await server.start();
    const tokens = await seededTokens(Array.from({ length: 20 }, (_, i) => i * 149_999));
    for (const token of tokens) assert.equal(await checkToken(server, token), 200);
    for (const who of ['user7', 'user999999']) {
      const { client, answer } = await login(server, who, PASSWORD);
      assert.equal(answer.status, 200, answer.text);
      assert.equal(await check(client), 200);
    }
    assert.equal((await server.ctl('user', 'show', 'user500000')).code, 0);
    await server.stop();
  });
}
