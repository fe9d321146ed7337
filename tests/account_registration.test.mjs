// SPDX-License-Identifier: ISC
// How accounts come to be, on a whole stayd: the first administrator's link, registration open, by invitation or
// closed; and whose requests may change anything.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { CHEAP, check, clientOf, login, PASSWORD, signedIn, sql } from './lib/accounts.mjs';
import { hiddenField } from './lib/http.mjs';
import { atEnd, until } from './lib/process.mjs';
import { startStayd } from './lib/stayd.mjs';

let server;

// It is printed once the store has said that it is empty: readiness does not wait for that.
const linkPrinted = (on) => until(() => on.setupLink(), { what: 'the set-up link' });

before(async () => {
  server = await startStayd({ config: { registration: 'open', ...CHEAP } });
  atEnd(() => server.stop());
  await linkPrinted(server);
});

const person = (username, more = {}) => ({ username, email: `${username}@example.net`, password: PASSWORD, ...more });
const register = (on, username, more, client = clientOf(on)) => client.post('/api/v1/register', { json: person(username, more) });
const setupForm = (on, username, token) => ({
  form: { setup_token: token ?? new URL(on.setupLink()).searchParams.get('token'), ...person(username) },
});

async function administrators(on) {
  return (await on.ctlJson('user', 'list')).filter(({ groups }) => groups.includes('admins'));
}

test('before set-up there is no registration, and no way in without the link', async () => {
  assert.equal((await register(server, 'early')).status, 403);
  const page = await clientOf(server).get('/login');
  assert.match(page.text, /set-up link/);
  assert.equal((await clientOf(server).get('/setup')).status, 403);
  for (const token of ['', 'A'.repeat(43), 'x', 'A'.repeat(65)]) {
    assert.ok((await clientOf(server).get(`/setup?token=${token}`)).status >= 400, token);
    assert.ok((await clientOf(server).post('/setup', setupForm(server, 'mallory', token))).status >= 400, token);
  }
  assert.deepEqual(await server.ctlJson('user', 'list'), []);
});

test('set-up: what is wrong is said, and the link stays good', async () => {
  const client = clientOf(server);
  assert.equal((await client.get(server.setupLink())).status, 200);
  const form = (changes) => client.post('/setup', { form: { ...setupForm(server, 'root').form, ...changes } });
  for (const wrong of [{ password: 'password' }, { username: 'No!' }, { email: 'nowhere' }]) {
    const answer = await form(wrong);
    assert.equal(answer.status, 400, JSON.stringify(wrong));
    assert.match(answer.text, /<form/);
    assert.ok(!answer.text.includes(PASSWORD), 'a password in a page');
  }
  // Core starts anew: the link is the same.
  await server.replaced('stayd-core', server.kill('stayd-core'));
  await until(async () => (await clientOf(server).get(server.setupLink())).status === 200, { what: 'the link after a new core' });
});

test('six race with the link: exactly one is the administrator', async () => {
  const names = ['anna', 'bert', 'cora', 'dirk', 'emma', 'finn'];
  const clients = names.map(() => clientOf(server));
  const answers = await Promise.all(names.map((name, i) => clients[i].post('/setup', setupForm(server, name))));
  const winners = answers.map(({ status }, i) => [status, i]).filter(([status]) => status === 303);
  assert.equal(winners.length, 1, answers.map(({ status }) => status).join());
  const [[, winner]] = winners;
  assert.deepEqual((await administrators(server)).map(({ name }) => name), [names[winner]]);
  assert.equal((await server.ctlJson('user', 'list')).length, 1);
  for (let i = 0; i < names.length; i += 1) assert.equal(await check(clients[i]), i === winner ? 200 : 401);
});

test('the link is dead after use, also after a restart', async () => {
  const link = server.setupLink();
  const dead = async () => {
    assert.ok((await clientOf(server).get(link)).status >= 400);
    assert.ok((await clientOf(server).post('/setup', setupForm(server, 'late'))).status >= 400);
    assert.equal((await administrators(server)).length, 1);
  };
  await dead();
  const printed = server.output.match(/\/setup\?token=/g).length;
  await server.restart();
  await dead();
  assert.equal(server.output.match(/\/setup\?token=/g).length, printed, 'no new link');
});

test('the link is dead when stayctl made the first account', async () => {
  const other = await startStayd({ config: CHEAP });
  atEnd(() => other.stop());
  await linkPrinted(other);
  assert.equal((await clientOf(other).get(other.setupLink())).status, 200);
  await other.addUser('root', PASSWORD, { groups: ['admins'] });
  assert.ok((await clientOf(other).get(other.setupLink())).status >= 400);
  assert.ok((await clientOf(other).post('/setup', setupForm(other, 'mallory'))).status >= 400);
  assert.equal((await other.ctlJson('user', 'list')).length, 1);
  await other.stop();
});

test('open: by the API and by the form, with a session at once', async () => {
  const client = clientOf(server);
  const answer = await register(server, 'gina', {}, client);
  assert.equal(answer.status, 201);
  assert.equal(answer.json().user.username, 'gina');
  assert.equal(await check(client), 200);
  const browser = clientOf(server);
  assert.match((await browser.get('/register')).text, /<form/);
  assert.equal((await browser.post('/register', { form: person('hugo') })).status, 303);
  assert.equal(await check(browser), 200);
  const hugo = await server.ctlJson('user', 'show', 'hugo');
  assert.deepEqual([hugo.groups, hugo.email_verified ?? false], [[], false], 'nobody gives oneself groups or a verified address');
});

test('a name is taken once, however it is spelt and whoever races', async () => {
  assert.equal((await register(server, 'GINA')).status, 409);
  const race = await Promise.all(Array.from({ length: 6 }, () => register(server, 'racer')));
  assert.deepEqual(race.map(({ status }) => status).sort(), [201, 409, 409, 409, 409, 409]);
  assert.equal((await server.ctlJson('user', 'list')).filter(({ name }) => name === 'racer').length, 1);
});

test('by invitation: needed, good once even when two race, not when unknown or over', async () => {
  server.reload({ registration: 'invite' });
  await until(async () => (await register(server, 'nobody')).status === 403, // 201 or 409 until then
    { what: 'registration by invitation only' });
  assert.match((await clientOf(server).get('/register')).text, /invit/i);
  const invite = async (...args) => new URL((await server.ctlJson('user', 'invite', ...args)).link).searchParams.get('invite');
  for (const wrong of ['A'.repeat(32), 'x', '']) {
    assert.equal((await register(server, 'guess', { invite: wrong })).status, 403, wrong);
  }
  const one = await invite('--group', 'guests', '--days', '1');
  const weak = await register(server, 'iris', { invite: one, password: 'password' });
  assert.equal(weak.status, 400, 'a refusal for another reason');
  const race = await Promise.all(['iris', 'jack', 'kurt'].map((name) => register(server, name, { invite: one })));
  assert.equal(race.filter(({ status }) => status === 201).length, 1, 'does not spend it, one does');
  assert.ok(race.every(({ status }) => status === 201 || status === 403));
  const made = ['iris', 'jack', 'kurt'][race.findIndex(({ status }) => status === 201)];
  assert.deepEqual((await server.ctlJson('user', 'show', made)).groups, ['guests']);
  assert.equal((await register(server, 'again', { invite: one })).status, 403);
  const two = await invite();
  const browser = clientOf(server);
  assert.ok((await browser.get(`/register?invite=${two}`)).text.includes(two));
  assert.equal((await browser.post('/register', { form: person('lena', { invite: two }) })).status, 303);
  assert.equal((await clientOf(server).post('/register', { form: person('mark', { invite: two }) })).status, 403);
  assert.ok(!server.output.includes(one) && !server.output.includes(two), 'invitations are not logged');
});

test('an invitation that is over is refused', async () => {
  const { link, expires_at: expires } = await server.ctlJson('user', 'invite', '--days', '1');
  assert.ok(Math.abs(Date.parse(expires) - Date.now() - 86400e3) < 60e3);
  await server.stop();
  await sql(server, 'UPDATE once SET expires = expires - 86401'); // a day goes by
  await server.start();
  const invite = new URL(link).searchParams.get('invite');
  assert.equal((await register(server, 'late', { invite })).status, 403);
});

test('closed: neither API nor form', async () => {
  const invite = new URL((await server.ctlJson('user', 'invite')).link).searchParams.get('invite');
  server.reload({ registration: 'closed' });
  await until(async () => (await clientOf(server).get('/register')).status === 403, { what: 'registration closed' });
  assert.equal((await register(server, 'nina')).status, 403);
  assert.equal((await register(server, 'nina', { invite })).status, 403);
  assert.equal((await clientOf(server).post('/register', { form: person('nina') })).status, 403);
  assert.doesNotMatch((await clientOf(server).get('/login')).text, /href="\/register/);
  assert.equal((await server.ctl('user', 'show', 'nina')).code, 1);
});

test('with a cookie, only requests of stayd\'s own pages change anything', async () => {
  const gina = await signedIn(server, 'gina');
  const own = new URL(server.url);
  const foreign = [
    { origin: 'https://evil.example' }, { origin: 'null' }, { origin: `http://127.0.0.1:${own.port}0` },
    { origin: `https://127.0.0.1:${own.port}` }, { origin: `${server.url}.evil.example` }, { origin: `${server.url}/x` },
    { origin: null }, { origin: null, headers: { 'sec-fetch-site': 'cross-site' } },
    { origin: null, headers: { 'sec-fetch-site': 'same-site' } }, { origin: null, headers: { 'sec-fetch-site': 'none' } },
    { origin: 'https://evil.example', headers: { 'sec-fetch-site': 'same-origin' } },
  ];
  for (const from of foreign) {
    const what = JSON.stringify(from);
    const { id } = gina.said.session;
    assert.equal((await gina.delete(`/api/v1/sessions/${id}`, from)).status, 403, what);
    assert.equal((await gina.delete('/api/v1/sessions', from)).status, 403, what);
    assert.equal((await gina.post('/api/v1/logout', from)).status, 403, what);
    assert.equal((await gina.post('/logout', { ...from, form: {} })).status, 403, what);
    assert.equal((await gina.post('/api/v1/password', { ...from, json: { current: PASSWORD, new: 'never to be set 7' } })).status, 403, what);
    assert.equal((await gina.post('/api/v1/login', { ...from, json: { username: 'gina', password: PASSWORD } })).status, 403, what);
  }
  assert.equal(await check(gina), 200, 'nothing has changed');
  // The same requests are done when they are the person's own.
  for (const from of [{}, { origin: `http://localhost:${own.port}` }, { origin: null, headers: { 'sec-fetch-site': 'same-origin' } }]) {
    const again = await signedIn(server, 'gina');
    assert.equal((await again.post('/api/v1/logout', from)).status, 204, JSON.stringify(from));
  }
});

test('the form token of a page stands for the origin; another session\'s does not', async () => {
  const [gina, other] = [await signedIn(server, 'gina'), await signedIn(server, 'gina')];
  const token = hiddenField((await gina.get('/account')).text, 'form_token');
  assert.ok(token?.length >= 16, token);
  assert.notEqual(hiddenField((await other.get('/account')).text, 'form_token'), token);
  assert.equal((await other.post('/logout', { origin: null, form: { form_token: token } })).status, 403);
  assert.equal((await gina.post('/logout', { origin: null, form: { form_token: `${token.slice(0, -1)}!` } })).status, 403);
  assert.equal(await check(gina), 200);
  assert.equal((await gina.post('/logout', { origin: null, form: { form_token: token } })).status, 303);
  assert.equal(await check(gina), 401);
  assert.equal(await check(other), 200);
});

test('without a cookie there is nothing to forge: bearer tokens and first log-ins need no origin', async () => {
  const { answer } = await login(server, 'gina', PASSWORD, { json: { token: true } });
  const bearer = clientOf(server, { headers: { authorization: `Bearer ${answer.json().token}` } });
  assert.equal((await bearer.delete('/api/v1/sessions', { origin: null })).status, 204);
  assert.equal((await bearer.post('/api/v1/logout', { origin: 'https://app.example' })).status, 204);
  assert.equal((await clientOf(server).post('/api/v1/login', { origin: null, json: { username: 'gina', password: PASSWORD } })).status, 200);
  const text = await clientOf(server).post('/api/v1/login', {
    origin: null, headers: { 'content-type': 'text/plain' }, body: JSON.stringify({ username: 'gina', password: PASSWORD }),
  });
  assert.equal(text.status, 415, 'what a form of another site could send is not read');
});
