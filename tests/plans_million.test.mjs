// SPDX-License-Identifier: ISC
// A million accounts and three million sessions, in PostgreSQL and in SQLite: every statement uses the index that
// store/statements.def says, and reads no more rows than it says.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROLE_PASSWORD, startPostgres } from './lib/postgres.mjs';
import { FAST, seedDatabase, seedFile } from './lib/seed.mjs';
import { executable, startStayd } from './lib/stayd.mjs';

const COUNTS = { users: 1_000_000, each: 3, sessions: 3_000_000, audit: 300_000, once: 100_000 };

/** Every operation is run, and rolled back. */
function rehearse(database, code = 0) {
  const done = spawnSync(executable('stayd-store'), ['--check-db', 'run'], { input: `${database}\n\n${ROLE_PASSWORD}\n`, encoding: 'utf8' });
  assert.equal(done.status, code, done.stderr + done.stdout);
  return JSON.parse(done.stdout);
}

const slow = ({ statements }) => statements.filter(({ holds }) => !holds).map(({ name, why }) => `${name}: ${why}`);

test('PostgreSQL', { timeout: 600_000 }, async (t) => {
  const postgres = await startPostgres({ settings: FAST });
  await postgres.createDatabase('million');
  const url = postgres.url({ database: 'million' });
  const { pending } = rehearse(url);
  await postgres.sql(`SET ROLE stayd;\n${pending}`, { database: 'million' });
  await seedDatabase(url, COUNTS);
  assert.equal(await postgres.sql('SELECT count(*) FROM sessions', { database: 'million' }), String(COUNTS.sessions));

  const found = rehearse(url);
  assert.deepEqual(slow(found), []);
  assert.deepEqual(found.statements.filter(({ small }) => small), [], 'large enough to say something');
  assert.equal(await postgres.sql('SELECT count(*) FROM sessions', { database: 'million' }), String(COUNTS.sessions), 'nothing was changed');
  for (const { name, rows, rows_max: most } of found.statements) t.diagnostic(`${name}: ${rows ?? 'not run'} rows of at most ${most || 'any'}`);

  await postgres.sql('DROP INDEX sessions_public_id', { database: 'million' });
  const lacking = rehearse(url, 1);
  assert.ok(slow(lacking).some((line) => /^SESSION_BY_PUBLIC_ID: there is no index sessions_public_id/.test(line)), slow(lacking).join('\n'));
  await postgres.stop();
});

test('SQLite', { timeout: 600_000 }, async () => {
  const server = await startStayd();
  await server.stop(); // it has made the tables
  await seedFile(server, COUNTS);
  const found = rehearse(join(server.dataDir, 'store', 'stayd.db'));
  assert.deepEqual(slow(found), []);
  assert.ok(found.statements.length > 40);
});
