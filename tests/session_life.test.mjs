// SPDX-License-Identifier: ISC
// The life of a session in a whole stayd: its token, what is stored of it, how it is replaced, listed and ended.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { CHEAP, check, checkToken, clientOf, login, PASSWORD, signedIn, storeBytes, tokenOf } from './lib/accounts.mjs';
import { atEnd, until } from './lib/process.mjs';
import { startStayd } from './lib/stayd.mjs';

const OTHER = 'copper meadow 17 whistle';
let server;

before(async () => {
  server = await startStayd({ config: { fronts: 2, ...CHEAP } });
  atEnd(() => server.stop());
  await server.addUser('root', PASSWORD, { groups: ['admins'] });
  for (const name of ['ada', 'eve', 'grace', 'hedy', 'ida', 'joan', 'kay', 'lise']) await server.addUser(name, PASSWORD);
});

const list = async (client) => (await client.get('/api/v1/sessions')).json().sessions;

test('a token is 32 random bytes in a cookie that scripts can\'t read', async () => {
  const ada = await signedIn(server);
  const { value, header, httpOnly, sameSite, path, domain, secure } = ada.jar.get('stayd');
  assert.match(value, /^[A-Za-z0-9_-]{43}$/);
  assert.equal(Buffer.from(value, 'base64url').length, 32);
  assert.deepEqual([httpOnly, sameSite, path, domain, secure], [true, 'Lax', '/', undefined, false], header);
  const tokens = new Set([value]);
  for (let i = 0; i < 20; i += 1) tokens.add(tokenOf(await signedIn(server)));
  assert.equal(tokens.size, 21);
  const selectors = new Set([...tokens].map((token) => token.slice(0, 21)));
  assert.equal(selectors.size, 21);
});

test('the store has no token, only what a check needs to know one', async () => {
  const ada = await signedIn(server);
  const raw = Buffer.from(tokenOf(ada), 'base64url');
  const [selector, verifier] = [raw.subarray(0, 16), raw.subarray(16)];
  const id = Buffer.from(ada.said.session.id, 'base64url');
  assert.equal(id.length, 16);
  const bytes = storeBytes(server);
  assert.ok(bytes.includes(selector), 'the selector');
  assert.ok(bytes.includes(id), 'the public id');
  assert.ok(!bytes.includes(verifier), 'the verifier');
  assert.ok(!bytes.includes(tokenOf(ada)) && !bytes.includes(verifier.toString('hex')), 'the token as text');
  assert.ok(!server.output.includes(tokenOf(ada).slice(0, 21)), 'a selector in the log');
  for (const other of [selector, verifier]) assert.ok(!id.equals(other), 'the public id is a third thing');
  // Knowing what the store and the lists show is not enough.
  const guess = (a, b) => Buffer.concat([a, b]).toString('base64url');
  for (const token of [guess(selector, id), guess(selector, selector), guess(id, verifier), guess(id, id)]) {
    assert.equal(await checkToken(server, token), 401);
  }
});

test('one bit more or less of a token is no token, and harms none', async () => {
  const ada = await signedIn(server);
  const raw = Buffer.from(tokenOf(ada), 'base64url');
  for (const at of [0, 15, 16, 31]) {
    const torn = Buffer.from(raw);
    torn[at] ^= 1;
    assert.equal(await checkToken(server, torn.toString('base64url')), 401, `byte ${at}`);
  }
  for (const token of [tokenOf(ada).slice(1), `${tokenOf(ada)}A`, `${tokenOf(ada).slice(0, 42)}!`, ' ', '=']) {
    assert.equal(await check(clientOf(server, { headers: { cookie: `stayd=${token}` } })), 401, token);
  }
  assert.equal(await check(ada), 200);
});

test('log-in replaces the session that it came with', async () => {
  const ada = await signedIn(server, 'eve');
  const first = tokenOf(ada);
  await login(server, 'eve', PASSWORD, { client: ada });
  assert.notEqual(tokenOf(ada), first);
  assert.equal(await check(ada), 200);
  assert.equal(await checkToken(server, first), 401, 'the old token');
  assert.equal((await list(ada)).length, 1);
  // A failed log-in changes nothing.
  const second = tokenOf(ada);
  assert.equal((await login(server, 'eve', 'wrong', { client: ada })).answer.status, 401);
  assert.equal(await checkToken(server, second), 200);
  // With "token": true comes a session of its own, beside the browser's.
  const { answer } = await login(server, 'eve', PASSWORD, { client: ada, json: { token: true } });
  assert.match(answer.json().token, /^[\w-]{43}$/);
  assert.equal(await checkToken(server, second), 200);
  assert.equal(await checkToken(server, answer.json().token), 200);
});

test('a planted cookie is never adopted', async () => {
  for (const path of ['/api/v1/login', '/login']) {
    for (const planted of ['A'.repeat(43), 'x', Buffer.alloc(32, 7).toString('base64url')]) {
      const victim = clientOf(server);
      victim.jar.set(server.url, 'stayd', planted);
      const fields = { username: 'grace', password: PASSWORD };
      const answer = await victim.post(path, path === '/login' ? { form: fields } : { json: fields });
      assert.ok([200, 303].includes(answer.status), answer.text);
      assert.notEqual(tokenOf(victim), planted);
      assert.equal(await check(victim), 200);
      assert.equal(await checkToken(server, planted), 401, `${path} ${planted}`);
    }
  }
  // An attacker's own session, planted: who logs in over it gets another, and the attacker's is over.
  const attacker = await signedIn(server, 'hedy');
  const planted = tokenOf(attacker);
  const victim = clientOf(server);
  victim.jar.set(server.url, 'stayd', planted);
  await login(server, 'grace', PASSWORD, { client: victim });
  assert.equal((await victim.get('/auth/check')).headers['remote-user'], 'grace');
  assert.equal(await check(attacker), 401);
  // Only the holder of the whole token ends a session so: the selector alone does not.
  const holder = await signedIn(server, 'hedy');
  const half = Buffer.from(tokenOf(holder), 'base64url').fill(9, 16).toString('base64url');
  const forger = clientOf(server);
  forger.jar.set(server.url, 'stayd', half);
  await login(server, 'grace', PASSWORD, { client: forger });
  assert.equal(await check(holder), 200);
});

test('a change of password makes a new session and ends all others', async () => {
  const here = await signedIn(server, 'ida');
  const elsewhere = await Promise.all([1, 2, 3].map(() => signedIn(server, 'ida')));
  const other = await signedIn(server, 'joan');
  const old = tokenOf(here);
  const answer = await here.post('/api/v1/password', { json: { current: PASSWORD, new: OTHER } });
  assert.equal(answer.status, 200, answer.text);
  assert.notEqual(tokenOf(here), old);
  assert.equal(await check(here), 200);
  assert.equal(await checkToken(server, old), 401);
  for (const client of elsewhere) assert.equal(await check(client), 401);
  assert.equal(await check(other), 200, 'another account');
  assert.equal((await login(server, 'ida', PASSWORD)).answer.status, 401);
  assert.equal((await login(server, 'ida', OTHER)).answer.status, 200);
  // By an administrator: all of them.
  assert.equal((await server.ctl('user', 'password', 'ida', '--password-stdin', { input: `${PASSWORD}\n` })).code, 0);
  assert.equal(await check(here), 401);
  assert.equal((await login(server, 'ida', PASSWORD)).answer.status, 200);
});

test('two changes at once: one wins, and its password is the one that works', async () => {
  const [a, b] = [await signedIn(server, 'lise'), await signedIn(server, 'lise')];
  const change = (client, fresh) => client.post('/api/v1/password', { json: { current: PASSWORD, new: fresh } });
  const fresh = [OTHER, 'plain basket 19 cello'];
  const answers = await Promise.all([change(a, fresh[0]), change(b, fresh[1])]);
  const won = answers.map(({ status }) => status === 200);
  assert.equal(won.filter(Boolean).length, 1, answers.map(({ status }) => status).join());
  const winner = won.indexOf(true);
  assert.equal((await login(server, 'lise', fresh[winner])).answer.status, 200);
  assert.equal((await login(server, 'lise', fresh[1 - winner])).answer.status, 401);
  assert.equal(await check([a, b][winner]), 200);
  assert.equal(await check([a, b][1 - winner]), 401);
});

test('the list: device, address, which one is this', async () => {
  const phone = await signedIn(server, 'joan', PASSWORD, { address: '127.0.20.1', headers: { 'user-agent': 'Phone/1.0 (test)' } });
  const desk = await signedIn(server, 'joan', PASSWORD, { address: '127.0.20.2', headers: { 'user-agent': 'Desk/2.0' } });
  const sessions = await list(desk);
  const of = (agent) => sessions.find((one) => one.agent === agent);
  assert.equal(of('Phone/1.0 (test)').address, '127.0.20.1');
  assert.equal(of('Desk/2.0').address, '127.0.20.2');
  assert.deepEqual([of('Phone/1.0 (test)').current, of('Desk/2.0').current], [false, true]);
  assert.equal(of('Desk/2.0').id, desk.said.session.id);
  assert.equal(new Set(sessions.map(({ id }) => id)).size, sessions.length);
  for (const one of sessions) {
    assert.ok(Date.parse(one.created_at) <= Date.now() + 1000 && Date.parse(one.expires_at) > Date.now());
    assert.ok(Date.parse(one.expires_max_at) >= Date.parse(one.expires_at));
  }
  assert.ok(!JSON.stringify(sessions).includes(tokenOf(phone).slice(0, 21)), 'no selector');
  const page = await desk.get('/account');
  assert.match(page.text, /127\.0\.20\.1/);
});

test('one ends: one\'s own by its id, never another\'s', async () => {
  const [one, two, other] = [await signedIn(server, 'kay'), await signedIn(server, 'kay'), await signedIn(server, 'joan')];
  const end = async (client, id) => (await client.delete(`/api/v1/sessions/${id}`)).status;
  assert.equal(await end(other, one.said.session.id), 404, 'a foreign one looks like none');
  assert.equal(await check(one), 200);
  assert.equal(await end(two, one.said.session.id), 204);
  assert.equal(await check(one), 401);
  assert.equal(await end(two, one.said.session.id), 404, 'twice');
  assert.equal((await list(two)).some(({ id }) => id === one.said.session.id), false);
  assert.equal(await end(two, two.said.session.id), 204, 'this one itself');
  assert.equal(await check(two), 401);
  assert.equal((await two.get('/api/v1/sessions')).status, 401);
  assert.equal(await check(other), 200);
});

test('all others end; log-out ends this one; both fronts know at once', async () => {
  const all = await Promise.all(Array.from({ length: 5 }, () => signedIn(server, 'kay')));
  const [here, ...others] = all;
  assert.equal((await here.delete('/api/v1/sessions')).status, 204);
  for (const other of others) {
    for (let i = 0; i < 4; i += 1) assert.equal(await check(other), 401); // whichever front takes the connection
  }
  assert.equal(await check(here), 200);
  assert.deepEqual((await list(here)).map(({ current }) => current), [true]);
  const token = tokenOf(here);
  const out = await here.post('/api/v1/logout');
  assert.equal(out.status, 204);
  assert.equal(tokenOf(here), undefined, 'the cookie is taken back');
  for (let i = 0; i < 4; i += 1) assert.equal(await checkToken(server, token), 401);
  assert.equal((await clientOf(server, { headers: { cookie: `stayd=${token}` } }).get('/api/v1/session')).status, 401);
});

test('ends and log-ins of one account at once: what was granted after the end stays', async () => {
  const here = await signedIn(server, 'grace');
  for (let round = 0; round < 5; round += 1) {
    const [, ...made] = await Promise.all([here.delete('/api/v1/sessions'),
      ...Array.from({ length: 4 }, () => login(server, 'grace'))]);
    for (const { client, answer } of made) {
      if (answer.status !== 200) assert.ok([401, 503].includes(answer.status), `${answer.status}`);
      assert.ok([200, 401].includes(await check(client)));
    }
    assert.equal(await check(here), 200);
    const listed = (await list(here)).length;
    let valid = 0;
    for (const { client } of made) valid += (await check(client)) === 200;
    assert.ok(listed >= valid + 1, `${listed} listed, ${valid} valid`);
  }
  assert.equal((await here.delete('/api/v1/sessions')).status, 204);
  assert.equal((await list(here)).length, 1);
});

test('an administrator ends one, or all, of somebody\'s', async () => {
  const [one, two, three] = [await signedIn(server, 'joan'), await signedIn(server, 'joan'), await signedIn(server, 'joan')];
  const root = await signedIn(server, 'root');
  const end = (client, form) => client.post('/admin/users/sessions/end', { form: { username: 'joan', ...form } });
  assert.equal((await end(two, { id: one.said.session.id })).status, 403, 'not by anyone');
  assert.equal((await end(two, { all: '1' })).status, 403);
  assert.equal(await check(one), 200);
  assert.equal((await end(root, { id: one.said.session.id })).status, 303);
  assert.deepEqual([await check(one), await check(two)], [401, 200]);
  assert.equal((await end(root, { all: '1' })).status, 303);
  assert.deepEqual([await check(two), await check(three)], [401, 401]);
  assert.equal(await check(root), 200);
  assert.equal((await login(server, 'joan')).answer.status, 200, 'logging in again');
});

test('disabled: over at once, and enabling brings nothing back', async () => {
  const sessions = await Promise.all([1, 2, 3].map(() => signedIn(server, 'hedy')));
  assert.equal((await server.ctl('user', 'disable', 'hedy')).code, 0);
  for (const client of sessions) assert.equal(await check(client), 401);
  assert.notEqual((await login(server, 'hedy')).answer.status, 200);
  assert.equal((await sessions[0].get('/api/v1/session')).status, 401);
  assert.equal((await server.ctl('user', 'enable', 'hedy')).code, 0);
  for (const client of sessions) assert.equal(await check(client), 401);
  assert.deepEqual(await server.ctlJson('session', 'list', 'hedy'), []);
  assert.equal(await check(await signedIn(server, 'hedy')), 200);
});

test('deleted: over at once, and the same name later is somebody else', async () => {
  await server.addUser('gone', PASSWORD);
  const client = await signedIn(server, 'gone');
  assert.equal((await server.ctl('user', 'delete', 'gone')).code, 0);
  assert.equal(await check(client), 401);
  await server.addUser('gone', OTHER);
  assert.equal(await check(client), 401);
  assert.equal((await login(server, 'gone', PASSWORD)).answer.status, 401);
});

test('a change of groups or address is seen by the next check', async () => {
  const client = await signedIn(server, 'eve');
  assert.equal((await client.get('/auth/check')).headers['remote-groups'], '');
  assert.equal((await server.ctl('user', 'set', 'eve', '--add-group', 'staff', '--email', 'new@example.org')).code, 0);
  const { headers } = await client.get('/auth/check');
  assert.deepEqual([headers['remote-user'], headers['remote-groups'], headers['remote-email']], ['eve', 'staff', 'new@example.org']);
});

test('children that die take no session along, and bring none back', async () => {
  const [live, ended] = [await signedIn(server, 'ada'), await signedIn(server, 'ada')];
  const dead = tokenOf(ended);
  assert.equal((await ended.post('/api/v1/logout')).status, 204);
  for (const name of ['stayd-core', 'stayd-front', 'stayd-store', 'stayd-hash', 'stayd-key', 'stayd-watch']) {
    const pids = server.kill(name);
    await server.replaced(name, pids);
    await until(async () => (await check(live)) === 200, { what: `${name}: the session` });
    await until(async () => (await login(server, 'ada')).answer.status === 200, { what: `${name}: a log-in` });
    assert.equal(await checkToken(server, dead), 401, name);
  }
});
