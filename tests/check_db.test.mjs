// SPDX-License-Identifier: ISC
// stayctl check-db: what a start would change, what is missing and what makes it, on a database in use.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { onPostgres, PASSWORD, signedIn } from './lib/accounts.mjs';
import { ROLE_PASSWORD, startPostgres } from './lib/postgres.mjs';
import { atEnd } from './lib/process.mjs';
import { prepareStayd, startStayd } from './lib/stayd.mjs';

let postgres;

before(async () => {
  postgres = await startPostgres();
});

/** The parsed report; the exit code and standard error are checked. */
async function report(server, code) {
  const done = await server.ctl('check-db', '--json');
  assert.equal(done.code, code, done.stderr + done.stdout);
  assert.ok(!(done.stdout + done.stderr).includes(ROLE_PASSWORD), 'no password');
  return JSON.parse(done.stdout);
}

test('on PostgreSQL: before the first start, in use, without an index', async () => {
  await postgres.createDatabase('checked');
  const options = { config: onPostgres(postgres, { database: 'checked' }, { fronts: 1 }) };
  const server = await prepareStayd(options);
  atEnd(() => server.stop());
  const fresh = await report(server, 0);
  assert.match(fresh.pending, /CREATE TABLE accounts/);
  assert.equal(await postgres.sql('SELECT count(*) FROM information_schema.tables WHERE table_schema = \'public\'', { database: 'checked' }), '0', 'nothing was run');

  server.spawn();
  await server.ready();
  await server.addUser('ada', PASSWORD);
  await signedIn(server);
  const used = await report(server, 0);
  assert.equal(used.pending, '');
  assert.equal(used.problem, '');
  assert.equal(used.holds, true);
  assert.ok(used.statements.length >= 25);

  await postgres.sql('DROP INDEX accounts_name', { database: 'checked' });
  const lacking = await report(server, 1);
  assert.deepEqual(lacking.missing_indexes.map(({ index, table }) => [index, table]), [['accounts_name', 'accounts']]);
  const told = await server.ctl('check-db');
  assert.equal(told.code, 1);
  assert.match(told.stdout, /accounts_name of accounts is missing.*\n +CREATE UNIQUE INDEX CONCURRENTLY/);
  await server.stop();
  server.spawn();
  await server.ready();
  await server.logged({ event: 'database_slow', message: /accounts_name is missing.*CREATE UNIQUE INDEX CONCURRENTLY/ }, { timeout: 15_000 });
  await postgres.sql(lacking.missing_indexes[0].statement, { database: 'checked' });
  assert.equal((await report(server, 0)).holds, true);

  await postgres.stop();
  const away = await server.ctl('check-db');
  assert.equal(away.code, 3, away.stderr);
  assert.match(away.stderr, /refused|No such file/);
});

test('on SQLite, in use', async () => {
  const server = await startStayd();
  atEnd(() => server.stop());
  await server.addUser('ada', PASSWORD);
  const used = await report(server, 0);
  assert.equal(used.database, 'sqlite');
  assert.equal(used.pending, '');
  assert.ok(used.statements.every(({ holds }) => holds));
  assert.match((await server.ctl('check-db')).stdout, /nothing would be changed at a start/);
});

test('a backup is of SQLite: PostgreSQL has its own', async () => {
  const server = await prepareStayd({ config: onPostgres(postgres, { database: 'checked' }) });
  const refused = await server.ctl('backup', 'out.db');
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /pg_dump/);
});
