// SPDX-License-Identifier: ISC
// stayctl against a whole stayd: each command once as it should go, and what it says where it does not.
import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { Client } from './lib/http.mjs';
import { executable, startStayd } from './lib/stayd.mjs';
import { atEnd, run, temporaryFolder } from './lib/process.mjs';

const PASSWORD = 'seven quiet harbours';
let server;

before(async () => {
  server = await startStayd({ config: { registration: 'invite' } });
  atEnd(() => server.stop());
});

/** Runs a command that must end with `code`; returns what it wrote. */
async function ctl(code, ...args) {
  const done = await server.ctl(...args);
  assert.equal(done.code, code, `stayctl ${args.filter((arg) => typeof arg === 'string').join(' ')}\n${done.stdout}${done.stderr}`);
  return done;
}

async function login(username, password) {
  const client = new Client(server.url);
  return { client, answer: await client.post('/api/v1/login', { json: { username, password } }) };
}

test('an account: added, shown, listed, changed, deleted', async (t) => {
  await t.test('added with a password from standard input, which works', async () => {
    await server.addUser('alice', PASSWORD, { groups: ['staff'] });
    assert.equal((await login('alice', PASSWORD)).answer.status, 200);
  });

  await t.test('shown, as text and as JSON', async () => {
    assert.match((await ctl(0, 'user', 'show', 'alice')).stdout, /^e-mail +alice@example\.org$/m);
    const alice = await server.ctlJson('user', 'show', 'alice');
    assert.deepEqual(alice.groups, ['staff']);
    assert.equal(alice.disabled, false);
    assert.equal(alice.has_password, true);
    assert.match(alice.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  });

  await t.test('changed: groups one by one, or all', async () => {
    await ctl(0, 'user', 'set', 'alice', '--add-group', 'press', '--remove-group', 'staff');
    assert.deepEqual((await server.ctlJson('user', 'show', 'alice')).groups, ['press']);
    await ctl(0, 'user', 'set', 'alice', '--group', 'a', '--group', 'b', '--display-name', 'Alice Ärmel');
    const alice = await server.ctlJson('user', 'show', 'alice');
    assert.deepEqual(alice.groups, ['a', 'b']);
    assert.equal(alice.display_name, 'Alice Ärmel');
    await ctl(0, 'user', 'set', 'alice', '--no-groups');
    assert.deepEqual((await server.ctlJson('user', 'show', 'alice')).groups, []);
  });

  await t.test('without a password: nobody logs in, until one is set', async () => {
    await ctl(0, 'user', 'add', 'bob', '--no-password');
    assert.equal((await login('bob', PASSWORD)).answer.status, 401);
    await ctl(0, 'user', 'password', 'bob', '--password-stdin', { input: `${PASSWORD}\n` });
    assert.equal((await login('bob', PASSWORD)).answer.status, 200);
  });

  await t.test('disabled: its sessions have ended; enabled: it can log in', async () => {
    const { client } = await login('bob', PASSWORD);
    assert.equal((await client.get('/auth/check')).status, 200);
    await ctl(0, 'user', 'disable', 'bob');
    assert.equal((await client.get('/auth/check')).status, 401);
    assert.notEqual((await login('bob', PASSWORD)).answer.status, 200);
    await ctl(0, 'user', 'enable', 'bob');
    assert.equal((await login('bob', PASSWORD)).answer.status, 200);
  });

  await t.test('deleted', async () => {
    await ctl(0, 'user', 'delete', 'bob');
    assert.match((await ctl(1, 'user', 'show', 'bob')).stderr, /no such account/);
  });
});

test('refusals name the reason and change nothing', async () => {
  const before = await server.ctlJson('user', 'list');
  const stdin = { input: 'short\n' };
  assert.match((await ctl(1, 'user', 'add', 'eve', '--password-stdin', stdin)).stderr, /at least 8/);
  assert.match((await ctl(1, 'user', 'add', 'Eve!', '--no-password')).stderr, /lower-case/);
  assert.match((await ctl(1, 'user', 'add', 'eve', '--email', 'eve', '--no-password')).stderr, /e-mail/);
  assert.match((await ctl(1, 'user', 'add', 'alice', '--no-password')).stderr, /exists/);
  assert.match((await ctl(1, 'user', 'add', 'eve', '--password-stdin', { input: 'one\ntwo\n' })).stderr, /one line/);
  assert.match((await ctl(2, 'user', 'add', 'eve')).stderr, /--password-stdin/);
  assert.match((await ctl(2, 'user', 'lst')).stderr, /Did you mean user list/);
  assert.match((await ctl(2, 'user', 'list', '--jsno')).stderr, /Did you mean --json/);
  assert.deepEqual(await server.ctlJson('user', 'list'), before);
});

test('many accounts: imported line by line, listed over several pages, exported whole', async () => {
  const file = join(server.folder, 'accounts.jsonl');
  const lines = Array.from({ length: 130 }, (_, i) => JSON.stringify({
    name: `n${String(i).padStart(3, '0')}`, email: `n${i}@example.org`, groups: ['many'], disabled: i === 7,
  }));
  lines.splice(50, 0, 'not json', '{"name":"x","colour":"red"}', '{"name":"alice"}');
  writeFileSync(file, `${lines.join('\n')}\n`);
  const done = await ctl(1, 'user', 'import', file);
  assert.match(done.stdout, /^130 accounts added, 3 failed\.$/m);
  assert.match(done.stderr, /line 51: .*\n.*line 52: x: colour is not a field.*\n.*line 53: alice: .*exists/);
  const listed = await server.ctlJson('user', 'list');
  assert.equal(listed.filter(({ groups }) => groups.includes('many')).length, 130);
  assert.equal((await server.ctlJson('user', 'list', '--limit', '45')).length, 45);
  assert.deepEqual((await server.ctlJson('user', 'list', 'n12@')).map(({ name }) => name), ['n012']);
  const exported = (await ctl(0, 'user', 'export')).stdout.trim().split('\n').map((line) => JSON.parse(line));
  assert.deepEqual(exported, listed);
  assert.equal(exported.find(({ name }) => name === 'n007').disabled, true);
});

test('an invitation makes one account, in its groups', async () => {
  const { link, expires_at: expires } = await server.ctlJson('user', 'invite', '--group', 'guests', '--days', '2');
  assert.ok(link.startsWith(`${server.url}/register?invite=`));
  assert.ok(Math.abs(Date.parse(expires) - Date.now() - 2 * 86400e3) < 60e3);
  const invite = new URL(link).searchParams.get('invite');
  const register = (username) => new Client(server.url).post('/api/v1/register', {
    json: { username, email: `${username}@example.org`, password: PASSWORD, invite },
  });
  assert.ok((await register('guest')).status < 300);
  assert.ok((await register('second')).status >= 400);
  assert.deepEqual((await server.ctlJson('user', 'show', 'guest')).groups, ['guests']);
});

test('sessions: listed under the ids of the API, ended one by one or all', async () => {
  const first = await login('alice', PASSWORD);
  const second = await login('alice', PASSWORD);
  const third = await login('alice', PASSWORD);
  const id = first.answer.json().session.id;
  const sessions = await server.ctlJson('session', 'list', 'alice');
  assert.ok(sessions.some((session) => session.id === id && session.address === '127.0.0.1'));
  await ctl(0, 'session', 'end', id);
  assert.equal((await first.client.get('/auth/check')).status, 401);
  assert.equal((await second.client.get('/auth/check')).status, 200);
  assert.match((await ctl(1, 'session', 'end', id)).stderr, /no such session/);
  assert.match((await ctl(2, 'session', 'end', 'nonsense')).stderr, /not the ID/);
  await ctl(2, 'session', 'end', '--user', 'alice');
  await ctl(0, 'session', 'end', '--user', 'alice', '--all');
  assert.equal((await second.client.get('/auth/check')).status, 401);
  assert.equal((await third.client.get('/auth/check')).status, 401);
  assert.deepEqual(await server.ctlJson('session', 'list', 'alice'), []);
});

test('the audit trail: filtered by account, event and time', async () => {
  const logins = await server.ctlJson('audit', 'list', '--user', 'alice', '--event', 'login', '--since', '1h');
  assert.ok(logins.length >= 4);
  assert.ok(logins.every(({ user, event, source }) => user === 'alice' && event === 'login' && source === '127.0.0.1'));
  assert.ok(logins.every(({ at }, i) => i === 0 || at <= logins[i - 1].at), 'newest first');
  const all = await server.ctlJson('audit', 'list', '--limit', '0');
  assert.ok(all.length > 130);
  assert.equal(new Set(all.map(({ id }) => id)).size, all.length, 'no event twice');
  assert.equal((await server.ctlJson('audit', 'list', '--limit', '90')).length, 90);
  assert.ok(all.filter(({ event }) => event === 'account_add').every(({ actor }) => actor === 'stayctl'));
  assert.ok(!JSON.stringify(all).includes(PASSWORD));
});

test('status and version', async () => {
  const status = await server.ctlJson('status');
  assert.equal(status.store, 'up');
  assert.equal(typeof status.sessions, 'number');
  assert.equal(status.public_url, server.url);
  const version = await server.ctlJson('version');
  assert.equal(version.stayctl, version.stayd);
  assert.match((await ctl(0, 'help', 'user', 'add')).stdout, /Examples:\n {2}stayctl user add/);
});

test('backup while serving, restore while stopped', async () => {
  const file = join(server.folder, 'backup.db');
  await ctl(0, 'backup', file);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.ok(!readFileSync(file).includes(PASSWORD));
  await ctl(0, 'user', 'delete', 'n000');
  const { client } = await login('alice', PASSWORD);
  assert.notEqual((await ctl(1, 'restore', file)).code, 0, 'stayd runs');
  assert.equal((await client.get('/auth/check')).status, 200);
  await server.stop();
  const away = await ctl(3, 'status');
  assert.match(away.stderr, /not running with the data folder .*start it, or give -c FILE/);
  assert.equal((await server.ctlJson('version')).stayd, null);
  assert.match((await ctl(0, 'restore', file)).stdout, /Start stayd again/);
  await server.start();
  assert.equal((await server.ctlJson('user', 'show', 'n000')).name, 'n000');
  assert.equal((await login('alice', PASSWORD)).answer.status, 200);
});

test('a configuration that is not there', async () => {
  const options = { cwd: temporaryFolder('empty'), env: { ...process.env, STAYD_CONFIG: '/nowhere/stayd.conf' } };
  const done = await run(executable('stayctl'), ['status'], options);
  assert.equal(done.code, 1);
  assert.match(done.stderr, /\/nowhere\/stayd\.conf can't be read/);
});
