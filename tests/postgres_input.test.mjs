// SPDX-License-Identifier: ISC
// A PostgreSQL that is wrong, or that something is wrong with: each time a line in the log says what to do, stayd
// serves what it can, nothing that was acknowledged is lost, and all goes on when it is repaired.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { check, clientOf, login, onPostgres, PASSWORD, signedIn } from './lib/accounts.mjs';
import { startFaultProxy } from './lib/fault_proxy.mjs';
import { ROLE_PASSWORD, startPostgres } from './lib/postgres.mjs';
import { atEnd, freePort, run, temporaryFolder, until } from './lib/process.mjs';
import { executable, prepareStayd, startStayd } from './lib/stayd.mjs';

let postgres;
let databases = 0;

before(async () => {
  postgres = await startPostgres({ tls: true });
});

async function freshDatabase(of = postgres, options = {}) {
  databases += 1;
  await of.createDatabase(`input${databases}`, options);
  return `input${databases}`;
}

/** A stayd that may not reach its database; returns when it serves. */
async function serving(of, options, config) {
  const server = await prepareStayd({ config: onPostgres(of, options, { fronts: 1, ...config }) });
  atEnd(() => server.stop());
  server.spawn();
  await server.ready();
  return server;
}

async function refusesLogins(server) {
  const { answer } = await login(server, 'ada');
  assert.equal(answer.status, 503, answer.text);
  assert.ok(Number(answer.headers['retry-after']) >= 1);
}

const works = (server, timeout = 10_000) => until(async () => (await login(server, 'ada')).answer.status === 200, { timeout, what: 'a log-in' });

/** The line, which says so much and no password. */
async function said(server, event, message) {
  const line = await server.logged({ event, message }, { timeout: 15_000, what: `${event}: ${message}` }).catch((error) => {
    throw new Error(`${error.message}\n${server.log.filter(({ process, level }) => process === 'stayd-store' && level !== 'info').map(({ line: text }) => text).join('\n')}`);
  });
  assert.ok(!server.output.includes(ROLE_PASSWORD), 'no password in the log');
  return line;
}

test('a URL that can\'t be meant: stayd does not start, and --check says the same', async () => {
  const wrong = {
    'postgres://stayd@127.0.0.1:x/stayd': /port/i,
    'postgres://stayd@127.0.0.1:99999/stayd': /port/i,
    'postgres://stayd@127.0.0.1/stayd?sslmode=sometimes': /sslmode/,
    'postgres://stayd@127.0.0.1/stayd?nonsense=1': /nonsense/,
    'postgres://stayd@127.0.0.1/stayd?target_session_attrs=standby': /target_session_attrs/,
    'postgres://stayd@127.0.0.1/stayd?pooler=maybe': /pooler/,
    'postgres://%zz@127.0.0.1/stayd': /%|user/,
    'mysql://stayd@127.0.0.1/stayd': /postgres/,
  };
  for (const [database, message] of Object.entries(wrong)) {
    const server = await prepareStayd({ config: { database } });
    const checked = await run(executable('stayd'), ['-c', server.configFile, '--check']);
    assert.notEqual(checked.code, 0, database);
    assert.match(checked.stderr + checked.stdout, message, database);
    const started = await run(executable('stayd'), ['-c', server.configFile]);
    assert.notEqual(started.code, 0, database);
    assert.match(started.stderr + started.stdout, message);
  }
});

test('a server that is not there, a name that nobody knows', async () => {
  const server = await serving(postgres, { hosts: [await freePort()] });
  await said(server, 'database_lost', /refused.*is the server running/);
  await refusesLogins(server);
  const unknown = await serving(postgres, { hosts: ['database.invalid:5432'] });
  await said(unknown, 'database_lost', /database\.invalid/);
  await refusesLogins(unknown);
});

test('a wrong password, no password, an unknown role', async () => {
  for (const options of [{ password: 'not it' }, { user: 'nobody' }]) {
    const server = await serving(postgres, options);
    await said(server, 'database_password', /authentication failed.*database_password_file/);
    await refusesLogins(server);
    await server.stop();
  }
  const server = await prepareStayd({ config: { database: postgres.url() } });
  atEnd(() => server.stop());
  server.spawn();
  await said(server, 'database_password', /no password.*database_password_file/);
});

test('a database that is not there, and is created then', async () => {
  databases += 1;
  const database = `input${databases}`;
  const server = await serving(postgres, { database });
  await said(server, 'database_missing', new RegExp(`${database}.*CREATE DATABASE`));
  await refusesLogins(server);
  await postgres.createDatabase(database);
  await until(async () => (await server.ctl('user', 'add', 'ada', '--email', 'a@example.org', '--password-stdin', { input: `${PASSWORD}\n` })).code === 0, {
    what: 'an account' });
  await works(server);
});

test('TLS: verified by its authority; another authority, another name, none at all are refused', async () => {
  const database = await freshDatabase();
  const trusted = { database, sslmode: 'verify-full', sslrootcert: postgres.authority.certificate };
  const server = await startStayd({ config: onPostgres(postgres, trusted) });
  await server.addUser('ada', PASSWORD);
  await works(server);
  const secured = await postgres.sql(`SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE datname = '${database}'
    AND backend_type = 'client backend' AND usename = 'stayd'`);
  assert.equal(secured, 't', 'every connection');
  await server.stop();

  const byKey = await serving(postgres, { database }, { database_ca: postgres.authority.certificate });
  await works(byKey);
  await byKey.stop();

  const other = await startPostgres({ tls: 'only' });
  const stranger = await serving(other, { sslmode: 'verify-full', sslrootcert: postgres.authority.certificate });
  await said(stranger, 'database_tls', /certificate verify failed.*sslrootcert/);
  await refusesLogins(stranger);
  await stranger.stop();
  await other.serveTls(['elsewhere.example.org']);
  await other.restart();
  const renamed = await serving(other, { sslmode: 'verify-full', sslrootcert: other.authority.certificate });
  await said(renamed, 'database_tls', /does not match.*certificate/);
  await refusesLogins(renamed);
  await renamed.stop();

  const plain = await startPostgres();
  const wanting = await serving(plain, { sslmode: 'require' });
  await said(wanting, 'database_tls', /does not support SSL.*sslmode/);
  await refusesLogins(wanting);
  const refused = await serving(other, { sslmode: 'disable' });
  await said(refused, 'database_password', /pg_hba\.conf/);
  await refusesLogins(refused);
});

test('a server that is too old', async () => {
  const proxy = await startFaultProxy(postgres.port);
  const full = await postgres.sql('SHOW server_version');
  const [number, old] = [await postgres.sql('SHOW server_version_num'), '090602'];
  // The same length, so that the message stays whole.
  const fake = '9.6.2'.padEnd(full.length);
  proxy.rewrite = (bytes) => Buffer.from(bytes.toString('latin1').replace(full, fake).replace(number, old), 'latin1');
  const server = await serving(postgres, { database: await freshDatabase(), hosts: [proxy.port], sslmode: 'disable' });
  await said(server, 'database_old', /9\.6.*PostgreSQL 12 or later/);
  await refusesLogins(server);
  proxy.rewrite = null;
  await until(async () => (await server.ctl('user', 'list')).code === 0, { timeout: 15_000, what: 'the store, after an upgrade' });
});

test('a schema of a newer stayd, of somebody else, altered by hand', async () => {
  const database = await freshDatabase();
  const server = await startStayd({ config: onPostgres(postgres, { database }) });
  atEnd(() => server.stop());
  await server.addUser('ada', PASSWORD);
  const ada = await signedIn(server);
  const sql = (text) => postgres.sql(`SET ROLE stayd;\n${text}`, { database });
  const restarted = async (event, message) => {
    await server.stop();
    server.spawn();
    await server.ready();
    await said(server, event, message);
    await refusesLogins(server);
    assert.equal(await check(ada), 503, 'not known, and not "no"');
  };

  await sql('UPDATE meta SET number = number + 1000 WHERE name = \'schema\'');
  await restarted('database_refused', /newer stayd.*install that one/);
  await sql('UPDATE meta SET number = number - 1000 WHERE name = \'schema\'');
  await works(server, 15_000);
  assert.equal(await check(ada), 200, 'nothing was changed');

  const alterations = [
    ['ALTER TABLE sessions RENAME COLUMN agent TO device', 'ALTER TABLE sessions RENAME COLUMN device TO agent', /sessions\.agent/],
    ['ALTER TABLE accounts ALTER COLUMN epoch TYPE int', 'ALTER TABLE accounts ALTER COLUMN epoch TYPE bigint', /accounts\.epoch/],
    ['ALTER TABLE accounts ADD COLUMN shoe int NOT NULL DEFAULT 1; ALTER TABLE accounts ALTER COLUMN shoe DROP DEFAULT',
      'ALTER TABLE accounts DROP COLUMN shoe', /shoe/],
    ['ALTER TABLE once RENAME TO twice', 'ALTER TABLE twice RENAME TO once', /once/],
  ];
  for (const [alter, repair, message] of alterations) {
    await sql(alter);
    await restarted('database_refused', new RegExp(`(altered by hand|no table).*${message.source}|${message.source}.*(altered|no table)`, 'i'));
    await sql(repair);
  }
  await works(server, 15_000);
  assert.equal(await check(ada), 200, 'all of it was repaired');

  // And while it serves.
  await sql('ALTER TABLE accounts RENAME COLUMN phc TO hash');
  await until(async () => (await login(server, 'ada')).answer.status === 503, { what: 'a refusal' });
  await said(server, 'database_altered', /check-db/);
  assert.equal(await check(ada), 200);
  await sql('ALTER TABLE accounts RENAME COLUMN hash TO phc');
  await works(server);

  const foreign = await freshDatabase();
  await postgres.sql('SET ROLE stayd; CREATE TABLE accounts (id int)', { database: foreign });
  const stranger = await serving(postgres, { database: foreign });
  await said(stranger, 'database_refused', /not stayd's.*database of its own/);
  await refusesLogins(stranger);
  assert.equal(await postgres.sql('SELECT count(*) FROM information_schema.tables WHERE table_schema = \'public\'', { database: foreign }), '1', 'nothing was added');
});

test('a role without rights: none to make tables, none to read them, some taken away', async () => {
  await postgres.sql(`CREATE ROLE guest LOGIN PASSWORD '${ROLE_PASSWORD}'`);
  const database = await freshDatabase(postgres, { owner: 'postgres' });
  const server = await serving(postgres, { user: 'guest', database });
  await said(server, 'database_refused', /guest.*GRANT/);
  await refusesLogins(server);
  await postgres.sql('GRANT USAGE, CREATE ON SCHEMA public TO guest', { database });
  await until(async () => (await server.ctl('user', 'list')).code === 0, { timeout: 15_000, what: 'the store, with rights' });
  await server.addUser('ada', PASSWORD);
  const ada = await signedIn(server);
  await postgres.sql('REVOKE INSERT ON sessions FROM guest', { database });
  await until(async () => (await login(server, 'ada')).answer.status === 503, { what: 'a refusal' });
  await said(server, 'database_rights', /sessions.*SELECT, INSERT, UPDATE and DELETE/);
  assert.equal(await check(ada), 200);
  await postgres.sql('GRANT INSERT ON sessions TO guest', { database });
  await works(server);
});

test('max_connections reached: by others, and for the role', async () => {
  const small = await startPostgres({ settings: { max_connections: 8, superuser_reserved_connections: 2 } });
  const server = await startStayd({ config: onPostgres(small, {}, { fronts: 1 }) });
  atEnd(() => server.stop());
  await server.addUser('ada', PASSWORD);
  const ada = await signedIn(server);
  // Others take what is free: stayd goes on with what it has.
  await small.sql(`CREATE ROLE greedy LOGIN PASSWORD '${ROLE_PASSWORD}'`);
  const taken = await Promise.all(Array.from({ length: 3 }, () => small.hold('SELECT 1')));
  for (let i = 0; i < 5; i += 1) await signedIn(server);
  for (const release of taken) await release(); // one at a time: each needs a place itself
  // And there is none at all.
  await small.sql('ALTER ROLE stayd CONNECTION LIMIT 0');
  await small.sql('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = \'stayd\'');
  await said(server, 'database_crowded', /too many connections.*database_connections_max/);
  await until(async () => (await login(server, 'ada')).answer.status === 503);
  assert.equal(await check(ada), 200);
  await small.sql('ALTER ROLE stayd CONNECTION LIMIT -1');
  await works(server, 5000);
});

test('a server that accepts and never answers', async () => {
  const proxy = await startFaultProxy(postgres.port);
  proxy.mode = 'silent';
  const server = await serving(postgres, { database: await freshDatabase(), hosts: [proxy.port] });
  await said(server, 'database_silent', /accepts and does not answer/);
  await refusesLogins(server);
  assert.ok(proxy.accepted <= 6, `${proxy.accepted} connections at once to a server that is hung`);
  proxy.heal();
  await until(async () => (await server.ctl('user', 'list')).code === 0, { timeout: 15_000, what: 'the store' });
});

test('the disk of the server is full', { timeout: 90_000 }, async (t) => {
  const full = await startPostgres({ disk: '64m', settings: { max_wal_size: '64MB' } });
  if (!full.disk) return t.skip('no file system of its own can be mounted here');
  const server = await startStayd({ config: onPostgres(full, {}, { fronts: 1 }) });
  atEnd(() => server.stop());
  await server.addUser('ada', PASSWORD);
  const acknowledged = [await signedIn(server)];
  const filler = join(full.disk, 'filler');
  try {
    writeFileSync(filler, Buffer.alloc(64 * 1024 * 1024));
  } catch (error) {
    assert.equal(error.code, 'ENOSPC');
  }
  assert.ok(existsSync(filler));
  // What fits into pages that are there may still be written.
  await until(async () => {
    const { client, answer } = await login(server, 'ada', PASSWORD, { headers: { 'user-agent': 'x'.repeat(200) } });
    if (answer.status === 200) acknowledged.push(client);
    return answer.status === 503;
  }, { timeout: 60_000, every: 0, what: 'a refusal' });
  await said(server, 'disk_full', /server's disk is full.*free some space/);
  for (const one of acknowledged) assert.equal(await check(one), 200);
  const gone = acknowledged.shift();
  const session = gone.jar.get('stayd').value;
  assert.equal((await gone.post('/api/v1/logout')).status, 204, 'an end, in the journal if nowhere else');
  rmSync(filler);
  await works(server, 20_000);
  await server.logged({ event: 'disk_has_space' });
  await full.restart('immediate');
  await server.restart({ signal: 'SIGKILL' });
  await works(server, 20_000);
  for (const one of acknowledged) assert.equal(await check(one), 200, 'after both were killed');
  assert.equal(await check(clientOf(server, { headers: { authorization: `Bearer ${session}` } })), 401);
  return undefined;
});

test('a password file that can\'t be read is said before anything starts', async () => {
  const config = onPostgres(postgres);
  const file = join(temporaryFolder('none'), 'nothing');
  const server = await prepareStayd({ config: { ...config, database_password_file: file } });
  const { code, stderr, stdout } = await run(executable('stayd'), ['-c', server.configFile]);
  assert.notEqual(code, 0);
  assert.match(stderr + stdout, /database_password_file/);
  assert.equal(readFileSync(config.database_password_file, 'utf8').trim(), ROLE_PASSWORD);
});
