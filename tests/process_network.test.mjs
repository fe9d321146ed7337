// SPDX-License-Identifier: ISC
// What stayd-store reaches: a PostgreSQL server by address, by name, over TLS and over a Unix socket, from
// inside its sandbox; nothing else; and with SQLite nothing at all.
import assert from 'node:assert/strict';
import { chmodSync, readFileSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { startPostgres, ROLE_PASSWORD } from './lib/postgres.mjs';
import { atEnd, run, temporaryFolder, until } from './lib/process.mjs';
import { executable, prepareStayd, startStayd } from './lib/stayd.mjs';

let postgres;
let passwordFile;

before(async () => {
  postgres = await startPostgres({ tls: true });
  passwordFile = join(temporaryFolder('secret'), 'password');
  writeFileSync(passwordFile, `${ROLE_PASSWORD}\n`, { mode: 0o600 });
});

const readable = (path) => {
  const copy = join(temporaryFolder('ca'), 'ca.pem');
  writeFileSync(copy, readFileSync(path));
  chmodSync(copy, 0o644);
  return copy;
};

async function serves(config, name) {
  const server = await startStayd({ config });
  atEnd(() => server.stop());
  const { code, stderr } = await until(async () => {
    const done = await server.ctl('user', 'add', name, '--email', `${name}@example.org`, '--no-password');
    return done.code === 3 ? null : done;
  }, { timeout: 15_000, what: 'stayd with its database' });
  assert.equal(code, 0, `${stderr}\n${server.output}`);
  assert.doesNotMatch(server.output, new RegExp(ROLE_PASSWORD));
  return server;
}

const sockets = (server) => server.children()['stayd-store'].flatMap((pid) => readdirSync(`/proc/${pid}/fd`)
  .map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`)).filter((to) => to.startsWith('socket:')).map((to) => /\d+/.exec(to)[0]));

const tcp = () => ['tcp', 'tcp6', 'udp', 'udp6'].flatMap((name) => readFileSync(`/proc/net/${name}`, 'utf8').trim().split('\n').slice(1)
  .map((line) => line.trim().split(/\s+/)).map((words) => ({ name, remote: words[2], inode: words[9] })));

test('with a server: by address, name, TLS and Unix socket', async (t) => {
  const databases = ['address', 'name', 'verified', 'url', 'socket'];
  for (const database of databases) await postgres.createDatabase(database);
  const named = [`localhost:${postgres.port}`];
  for (const [name, config] of [
    ['address', { database: postgres.url({ database: 'address', sslmode: 'disable' }), database_password_file: passwordFile }],
    ['name', { database: postgres.url({ database: 'name', hosts: named }), database_password_file: passwordFile }],
    ['verified', { database: postgres.url({ database: 'verified', hosts: named }), database_password_file: passwordFile,
      database_ca: readable(postgres.authority.certificate) }],
    ['url', { database: postgres.url({ database: 'url', password: ROLE_PASSWORD }) }],
  ]) {
    await t.test(name, async () => {
      const server = await serves(config, name);
      const own = new Set(sockets(server));
      const open = tcp().filter(({ inode }) => own.has(inode));
      assert.ok(open.length > 0);
      const port = postgres.port.toString(16).toUpperCase().padStart(4, '0');
      for (const { remote } of open) assert.match(remote, new RegExp(`:${port}$`));
      await server.stop();
    });
  }

  await t.test('Unix socket', async () => {
    chmodSync(postgres.folder, 0o711);
    const server = await serves({ database: `postgres://stayd@/socket?host=${postgres.folder}&port=${postgres.port}`,
      database_password_file: passwordFile }, 'socket');
    const own = new Set(sockets(server));
    assert.deepEqual(tcp().filter(({ inode }) => own.has(inode)), []);
    await server.stop();
  });
});

test('a new password is taken over by SIGHUP', async () => {
  await postgres.createDatabase('rotated');
  const fresh = 'harbour-tide-91';
  const server = await serves({ database: postgres.url({ database: 'rotated' }), database_password_file: passwordFile }, 'ada');
  await postgres.sql(`ALTER ROLE stayd PASSWORD '${fresh}'`);
  atEnd(() => postgres.sql(`ALTER ROLE stayd PASSWORD '${ROLE_PASSWORD}'`));
  writeFileSync(passwordFile, fresh);
  server.reload();
  await server.logged({ event: 'reloaded' });
  await postgres.sql('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = \'stayd\'');
  await until(async () => (await server.ctl('user', 'show', 'ada')).code === 0, { timeout: 15_000, what: 'the database by the new password' });
  assert.doesNotMatch(server.output, new RegExp(fresh));
  await server.stop();
  await postgres.sql(`ALTER ROLE stayd PASSWORD '${ROLE_PASSWORD}'`);
  writeFileSync(passwordFile, ROLE_PASSWORD);
});

test('a server that is not what its certificate has to say is refused', async () => {
  const other = await startPostgres({ tls: true });
  const server = await prepareStayd({ config: { database: postgres.url({ hosts: [`localhost:${postgres.port}`] }),
    database_password_file: passwordFile, database_ca: readable(other.authority.certificate) } });
  atEnd(() => server.stop());
  server.spawn();
  await until(() => /certificate verify failed/.test(server.output), { what: 'the refusal in the log' });
});

test('a password that others may read is refused', async () => {
  const open = join(temporaryFolder('open'), 'password');
  writeFileSync(open, 'wharf', { mode: 0o644 });
  chmodSync(open, 0o644);
  const server = await prepareStayd({ config: { database: postgres.url(), database_password_file: open } });
  const { code, stderr } = await run(executable('stayd'), ['--check', '-c', server.configFile]);
  assert.equal(code, 1);
  assert.match(stderr, /others may read or change it \(mode 644\): chmod 600/);
});

test('from inside', async (t) => {
  const probe = async (word) => {
    const { code, stdout, stderr } = await run(executable('stayd-store'), [word], { cwd: temporaryFolder('probe') });
    assert.equal(code, 0, stdout + stderr);
    return Object.fromEntries([...stdout.matchAll(/^act=(\w+) result=(\w+)/gm)].map(([, act, result]) => [act, result]));
  };
  await t.test('with SQLite there is no network', async () => {
    const acts = await probe('--sandbox-probe');
    for (const act of ['socket', 'connect', 'connect_other_port', 'connect_local', 'datagram', 'socket_raw', 'socket_packet',
      'socket_audit', 'bind', 'listen']) assert.equal(acts[act], 'denied', act);
  });
  await t.test('with a server there is its port, and no other', async () => {
    const acts = await probe('--sandbox-probe-network');
    for (const act of ['connect', 'connect_local', 'datagram', 'read_names']) assert.equal(acts[act], 'allowed', act);
    for (const act of ['open_read', 'socket_raw', 'socket_packet', 'socket_audit', 'listen']) assert.equal(acts[act], 'denied', act);
  });
  await t.test('the one that runs with SQLite holds no socket of a network', async () => {
    const server = await serves({}, 'sqlite');
    const own = new Set(sockets(server));
    assert.deepEqual(tcp().filter(({ inode }) => own.has(inode)), []);
    await server.stop();
  });
});
