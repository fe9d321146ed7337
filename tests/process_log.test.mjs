// SPDX-License-Identifier: ISC
// The log: one line a change with who, from where, how it ended and where the time went, in both formats; an
// audit trail; and in nothing that is ever written a password, a token or a key.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Client, hiddenField } from './lib/http.mjs';
import { until } from './lib/process.mjs';
import { startStayd } from './lib/stayd.mjs';

const secret = (name) => `Zyx-${name}-Quokka-81-Lantern`;

/** Everything that may be done with secrets, by right and by mistake. Returns all of them, by name. */
async function story(server) {
  const secrets = {};
  const password = (name) => (secrets[`password ${name}`] = secret(name));
  const note = (name, client, answer) => {
    for (const { name: cookie, value } of client.jar.cookies) secrets[`${name}: cookie ${cookie}`] = value;
    const token = answer?.headers['content-type']?.includes('json') ? JSON.parse(answer.text || '{}') : {};
    for (const value of [token.token, token.session?.token]) if (value) secrets[`${name}: token`] = value;
    return answer;
  };
  const client = () => new Client(server.url);

  const setup = new URL(server.setupLink());
  secrets['set-up token'] = setup.search.replace(/^\?\w+=/, '') || setup.hash.slice(1) || setup.pathname.split('/').at(-1);
  const first = client();
  const page = await first.get(setup.pathname + setup.search);
  const fields = {};
  for (const [, name] of page.text.matchAll(/<input\b[^>]*\bname="(\w+)"/g)) fields[name] = hiddenField(page.text, name) ?? '';
  const chosen = password('administrator');
  for (const name of Object.keys(fields)) if (/password/.test(name)) fields[name] = chosen;
  Object.assign(fields, { username: 'root', ...('email' in fields && { email: 'root@example.org' }) });
  const done = note('set-up', first, await first.post(setup.pathname + setup.search, { form: fields }));
  assert.ok([200, 303].includes(done.status), `${done.status} ${done.text}`);
  assert.ok(first.jar.get('stayd'), 'the administrator is logged in');

  const invite = await server.ctl('user', 'invite');
  assert.equal(invite.code, 0, invite.stderr);
  [secrets.invite] = /[A-Za-z0-9_-]{22,}/.exec(invite.stdout.match(/invite=([\w-]+)/)?.[1] ?? invite.stdout);
  const iris = client();
  assert.ok(note('iris', iris, await iris.post('/api/v1/register', {
    json: { username: 'iris', email: 'iris@example.org', password: password('iris'), invite: secrets.invite },
  })).status < 300);

  await server.addUser('alice', password('alice'));
  const alice = client();
  const login = (who, username, pass, more = {}) => who.post('/api/v1/login', { json: { username, password: pass, ...more } });
  assert.equal(note('alice', alice, await login(alice, 'alice', secrets['password alice'])).status, 200);
  assert.equal(note('bearer', client(), await login(client(), 'alice', secrets['password alice'], { token: true })).status, 200);
  assert.equal((await login(client(), 'alice', password('wrong'))).status, 401);
  assert.equal((await login(client(), 'nobody', password('nobody'))).status, 401);
  // Typed into the wrong field.
  assert.ok((await login(client(), password('misplaced'), 'alice')).status >= 400);
  const changed = note('changed', alice, await alice.post('/api/v1/password', {
    json: { current: secrets['password alice'], new: password('changed') },
  }));
  assert.ok(changed.status < 300, changed.text);
  assert.ok((await alice.post('/api/v1/password', { json: { current: password('false'), new: password('next') } })).status >= 400);
  const form = client();
  await form.post('/login', { form: { username: 'iris', password: password('form') } });
  assert.equal(note('form', form, await form.post('/login', { form: { username: 'iris', password: secrets['password iris'] } })).status, 303);
  // Requests that are refused on the way, with secrets in them.
  await client().post('/api/v1/login', { body: `{"username":"alice","password":"${password('broken')}"`, headers: { 'content-type': 'application/json' } });
  await client().post('/api/v1/login', { json: { username: 'alice', password: 'x', [password('field')]: 1 } });
  await client().get(`/login?password=${password('query')}`);
  await client().get('/auth/check', { headers: { authorization: `Bearer ${secrets['token made up'] = 'Quokka'.repeat(8).slice(0, 43)}` } });
  await client().get('/auth/check', { headers: { cookie: `stayd=${secrets['cookie made up'] = 'Lantern'.repeat(8).slice(0, 43)}` } });
  await alice.get('/api/v1/sessions');
  await alice.delete('/api/v1/sessions');
  const { code } = await server.ctl('user', 'password', 'iris', '--password-stdin', { input: `${password('reset')}\n` });
  assert.equal(code, 0);
  assert.ok((await alice.post('/api/v1/logout')).status < 300);
  return secrets;
}

/** All files below a folder, with their bytes. */
function files(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .map((path) => ({ path, bytes: readFileSync(path) }));
}

function forms(value) {
  const bytes = [Buffer.from(value), Buffer.from(encodeURIComponent(value)), Buffer.from(Buffer.from(value).toString('base64')),
    Buffer.from(Buffer.from(value).toString('hex'))];
  // A token that was decoded, too.
  return /^[\w-]{43}$/.test(value) ? [...bytes, Buffer.from(value, 'base64url'), Buffer.from(value, 'base64url').subarray(16)] : bytes;
}

for (const format of ['logfmt', 'json']) {
  test(`a day in the log, as ${format}`, async (t) => {
    const server = await startStayd({ config: { fronts: 1, registration: 'invite', log_format: format, log_level: 'debug' } });
    const secrets = await story(server);
    const lines = () => (format === 'json' ? server.output.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line)) : server.log.filter((entry) => entry.event));
    await until(() => lines().some(({ event }) => event === 'logout'), { what: 'the last line' });
    const changes = lines().filter((entry) => 'total_us' in entry);

    await t.test('one line a change', () => {
      const count = (event) => changes.filter((entry) => entry.event === event).length;
      assert.equal(count('login'), 7); // two that worked, three that did not, two by form
      assert.equal(count('register'), 1);
      assert.equal(count('password_change'), 2);
      assert.equal(count('logout'), 1);
      assert.equal(new Set(changes.map(({ request }) => request)).size, changes.length);
      for (const entry of changes) {
        assert.match(entry.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
        assert.match(entry.request, /^[0-9a-f]{16}$/);
        assert.equal(entry.source, '127.0.0.1');
        assert.match(entry.outcome, /^(granted|refused)$/);
        assert.equal(entry.process, 'stayd-front');
      }
      const refused = changes.filter(({ event, outcome }) => event === 'login' && outcome === 'refused');
      assert.ok(refused.every(({ reason, status }) => reason && Number(status) >= 400));
      assert.ok(changes.some(({ event, account, outcome }) => event === 'login' && account === 'alice' && outcome === 'granted'));
      assert.ok(changes.filter(({ event }) => /^(logout|password_change)$/.test(event)).every((entry) => entry.account === 'alice'));
    });

    await t.test('the times of the stages are the total', () => {
      for (const entry of changes) {
        const stages = Object.keys(entry).filter((key) => key.endsWith('_us') && key !== 'total_us');
        assert.ok(stages.length >= 9, stages.join());
        const sum = stages.reduce((all, key) => all + Number(entry[key]), 0);
        // Each is cut to microseconds; what they don't explain is little.
        assert.ok(Math.abs(sum - Number(entry.total_us)) <= stages.length + 0.02 * Number(entry.total_us),
          `${entry.event}: ${sum} of ${entry.total_us}`);
      }
      const login = changes.find(({ event, outcome }) => event === 'login' && outcome === 'granted');
      assert.ok(Number(login.hash_us) > 0);
    });

    await t.test('every line is one', () => {
      for (const line of server.output.split('\n').filter(Boolean)) {
        assert.ok(format === 'json' ? line.startsWith('{') || /^(stayd|Set up|http|\s|Open|The|First)/i.test(line)
          : !/[^\x20-\x7e]/.test(line), line);
      }
    });

    await t.test('the audit trail', async () => {
      const rows = await server.ctlJson('audit', 'list', '--limit', '0');
      const has = (fields) => rows.some((row) => Object.entries(fields).every(([key, value]) => row[key] === value));
      for (const fields of [{ event: 'login', user: 'alice', source: '127.0.0.1' }, { event: 'account_add', user: 'alice' }]) {
        assert.ok(has(fields), JSON.stringify(fields) + JSON.stringify(rows, null, 1));
      }
      const events = new Set(rows.map(({ event }) => event));
      for (const event of ['setup', 'invite', 'account_add', 'login', 'register', 'password_change', 'session_end']) assert.ok(events.has(event), `${event} in ${[...events]}`);
      assert.ok(rows.some(({ event, outcome }) => event === 'login' && outcome !== 'granted'), 'failures, too');
    });

    await t.test('in nothing that was written is a secret', async () => {
      const pids = server.kill('stayd-front', 'SIGSEGV'); // a record of a crash, with what it may know
      await server.replaced('stayd-front', pids, 30_000);
      const outputs = { log: server.output };
      const ops = new Client(server.opsUrl);
      for (const path of ['/', '/metrics', '/incidents']) outputs[path] = (await ops.get(path)).text;
      for (const args of [['audit', 'list', '--limit', '0'], ['status'], ['user', 'list'], ['session', 'list', 'iris'], ['user', 'show', 'alice']]) {
        for (const json of [[], ['--json']]) outputs[args.concat(json).join(' ')] = (await server.ctl(...args, ...json)).stdout;
      }
      for (const pid of [server.pid, ...Object.values(server.children()).flat()]) {
        outputs[`cmdline and environment of ${pid}`] = readFileSync(`/proc/${pid}/cmdline`, 'latin1') + readFileSync(`/proc/${pid}/environ`, 'latin1');
      }
      await server.stop({ crashes: true });
      outputs.log = server.output;
      assert.ok(readdirSync(join(server.dataDir, 'incidents')).length > 0);
      const all = [...Object.entries(outputs).map(([path, text]) => ({ path, bytes: Buffer.from(text, 'latin1') })), ...files(server.dataDir)];
      const keys = files(join(server.dataDir, 'keys'));
      assert.ok(keys.length > 0);
      for (const [name, value] of Object.entries(secrets)) {
        assert.ok(value.length > 12, name);
        // The link for the first administrator is printed: that is how it is handed over.
        const where = all.filter(({ path }) => !(name === 'set-up token' && path === 'log'));
        for (const form of forms(value)) {
          const found = where.filter(({ bytes }) => bytes.includes(form)).map(({ path }) => path);
          assert.deepEqual(found, [], `${name} as ${form}`);
        }
      }
      for (const { bytes, path } of keys) {
        for (const form of [bytes.subarray(-32), Buffer.from(bytes.subarray(-32).toString('hex')), Buffer.from(bytes.subarray(-32).toString('base64'))]) {
          assert.deepEqual(all.filter((one) => one.path !== path && one.bytes.includes(form)).map((one) => one.path), []);
        }
      }
      assert.ok(all.some(({ path }) => path.endsWith('stayd.db')) && statSync(join(server.dataDir, 'store', 'stayd.db')).size > 0);
      const log = outputs.log.split(secrets['set-up token']).length - 1;
      assert.ok(log >= 1 && log <= 2, `the set-up link was printed ${log} times`);
    });
  });
}
