// SPDX-License-Identifier: ISC
// What the API and the pages refuse: bad JSON and UTF-8, unknown fields, values that are too long, names and
// passwords that are none. Each with a code and a reason that helps, and none of it kills anything.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { Client } from './lib/http.mjs';
import { atEnd } from './lib/process.mjs';
import { startStayd } from './lib/stayd.mjs';

const PASSWORD = 'seven quiet harbours';
let server;
let client;

before(async () => {
  server = await startStayd({ config: { fronts: 1, registration: 'open' } });
  atEnd(() => server.stop());
  client = new Client(server.url);
  await server.addUser('alice', PASSWORD);
});

const send = (path, body, headers = {}) => client.post(path, { body, headers: { 'content-type': 'application/json', ...headers } });

async function problem(answer, status, type, detail = /./) {
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.headers['content-type'], 'application/problem+json');
  const body = answer.json();
  assert.equal(body.status, status);
  assert.match(body.type, new RegExp(`^urn:stayd:problem:${type}$`));
  assert.match(`${body.title} ${body.detail ?? ''}`, detail);
}

test('bodies that are no JSON object, or not this request\'s', async (t) => {
  const bodies = {
    'an empty body': ['', /empty/],
    'half an object': ['{"username":"alice",', /not JSON/],
    'an object and more': ['{"username":"alice","password":"a"} x', /not JSON/],
    'two objects': ['{}{}', /./],
    'an array': ['["alice"]', /object/],
    'a string': ['"alice"', /./],
    'single quotes': ["{'username':'alice'}", /not JSON/],
    'a comment': ['{/* a */}', /not JSON/],
    'a comma too many': ['{"username":"alice","password":"a",}', /not JSON/],
    'nothing in it': ['{}', /"username" is missing/],
    'a field missing': ['{"username":"alice"}', /"password" is missing/],
    'an unknown field': ['{"username":"alice","password":"a","admin":true}', /"admin" is not a field/],
    'an unknown field with an escape': ['{"\\u001b[31m":1}', /is not a field/],
    'a field twice': ['{"username":"alice","username":"bob","password":"a"}', /./],
    'a number for a string': ['{"username":1,"password":"a"}', /"username" must be a string/],
    'null for a string': ['{"username":"alice","password":null}', /"password" must be a string/],
    'a string for a flag': ['{"username":"alice","password":"a","token":"yes"}', /"token" must be true or false/],
    'an object for a string': ['{"username":{"a":1},"password":"a"}', /nested/],
    'NUL in a string': ['{"username":"a\\u0000b","password":"a"}', /./],
    'half a surrogate pair': ['{"username":"\\ud800","password":"a"}', /./],
    'a control byte in a string': ['{"username":"a\nb","password":"a"}', /./],
    'deep nesting': ['['.repeat(10_000), /nested/],
    'a byte order mark': ['\ufeff{"username":"alice","password":"a"}', /./],
    'invalid UTF-8': [Buffer.from('{"username":"al\xffce","password":"a"}', 'latin1'), /not JSON/],
    'an overlong form in UTF-8': [Buffer.from('{"username":"al\xc0\xafce","password":"a"}', 'latin1'), /not JSON/],
    'a surrogate in UTF-8': [Buffer.from('{"username":"\xed\xa0\x80","password":"a"}', 'latin1'), /not JSON/],
    'UTF-16': [Buffer.from('{"username":"alice","password":"a"}', 'utf16le'), /./],
  };
  for (const [name, [body, detail]] of Object.entries(bodies)) {
    await t.test(name, async () => problem(await send('/api/v1/login', body), 400, 'bad_request', detail));
  }
});

test('another content type, or none', async () => {
  const body = JSON.stringify({ username: 'alice', password: PASSWORD });
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/json5', null]) {
    await problem(await send('/api/v1/login', body, { 'content-type': type }), 415, 'unsupported_media_type');
  }
  assert.equal((await send('/api/v1/login', body, { 'content-type': 'application/json; charset=utf-8' })).status, 200);
});

test('too long: a name, a password, a body', async () => {
  const login = (username, password) => send('/api/v1/login', JSON.stringify({ username, password }));
  await problem(await login('a'.repeat(257), PASSWORD), 400, 'bad_request', /"username" is longer than/);
  await problem(await login('alice', 'a'.repeat(4097)), 400, 'bad_request', /"password" is longer than/);
  assert.equal((await login('alice', 'a'.repeat(20_000))).status, 413);
  assert.equal((await send('/api/v1/login', `{"username":"${'a'.repeat(65_000)}"}`)).status >= 400, true);
  assert.equal((await send('/api/v1/login', 'a'.repeat(70_000))).status, 413);
  // What is merely wrong looks like any wrong password.
  for (const username of ['nobody', 'a'.repeat(200), '../../etc/passwd', "' or 1=1 --", '\u202eecila', 'Алиса']) {
    assert.equal((await login(username, PASSWORD)).status, 401, username);
  }
});

test('registration: names and passwords that are none', async (t) => {
  const register = (fields) => send('/api/v1/register', JSON.stringify({
    username: 'carol', email: 'carol@example.org', password: PASSWORD, ...fields,
  }));
  const refusals = {
    'an empty name': { username: '' },
    'a name that begins with a dot': { username: '.carol' },
    'a name with a space': { username: 'carol jones' },
    'a name with a slash': { username: 'carol/x' },
    'a name that is not ASCII': { username: 'kärol' },
    'a name of 65 characters': { username: 'c'.repeat(65) },
    'a name with a line break': { username: 'carol\r\nRemote-Groups: admins' },
    'an address without @': { email: 'carol' },
    'an address with a line break': { email: 'carol@example.org\r\nX: y' },
    'a password of 7 characters': { password: 'qpwxzm7' },
    'a password of 1025 bytes': { password: 'kV9#'.repeat(257).slice(0, 1025) },
    'a common password': { password: 'password1' },
    'a password that is the name': { username: 'margarethe', password: 'margarethe' },
  };
  for (const [name, fields] of Object.entries(refusals)) {
    await t.test(name, async () => {
      const answer = await register(fields);
      assert.ok([400, 409, 422].includes(answer.status), `${answer.status} ${answer.text}`);
      const body = answer.json();
      assert.ok(`${body.title}${body.detail ?? ''}`.length > 15, answer.text);
      assert.equal(answer.headers['set-cookie'], undefined);
      assert.ok(!answer.text.includes(fields.password ?? PASSWORD), 'the password is not said back');
    });
  }
  await t.test('at the edge: 1024 bytes, 64 characters, any Unicode in either form', async () => {
    const long = 'kV9# '.repeat(205).slice(0, 1024);
    assert.ok((await register({ username: 'd'.repeat(64), email: 'd@example.org', password: long })).status < 300);
    const composed = 'gr\u00fcne V\u00f6gel \u{1f426} s\u00fcdw\u00e4rts';
    assert.ok((await register({ username: 'erik', email: 'e@example.org', password: composed.normalize('NFD') })).status < 300);
    assert.equal((await send('/api/v1/login', JSON.stringify({ username: 'erik', password: composed }))).status, 200);
    assert.equal((await send('/api/v1/login', JSON.stringify({ username: 'd'.repeat(64), password: long }))).status, 200);
    assert.equal((await send('/api/v1/login', JSON.stringify({ username: 'd'.repeat(64), password: long.slice(0, -1) }))).status, 401);
  });
});

test('forms: what a browser would not send', async () => {
  const page = new Client(server.url);
  const form = (body) => page.post('/login', { body, headers: { 'content-type': 'application/x-www-form-urlencoded' } });
  for (const body of ['', 'username', 'username=%zz&password=a', 'username=a&username=b&password=c', 'username=%00&password=a',
    `username=${'a'.repeat(5000)}&password=a`, `username=alice&password=${'a'.repeat(20_000)}`, 'username=%ff%fe&password=a', '&'.repeat(60_000)]) {
    const answer = await form(body);
    assert.ok(answer.status >= 400 && answer.status < 500, `${body.slice(0, 40)}: ${answer.status}`);
    assert.match(answer.headers['content-type'], /^text\/html/);
    assert.equal(page.jar.get('stayd'), undefined);
  }
  assert.equal((await page.post('/login', { form: { username: 'alice', password: PASSWORD } })).status, 303);
});

test('tokens that are none', async () => {
  const strange = ['', 'a', 'a'.repeat(43), '='.repeat(43), 'a'.repeat(8000), '\u00ff'.repeat(43), `${'a'.repeat(42)}!`];
  for (const token of strange) {
    const answers = [
      await client.request('GET', '/auth/check', { cookies: false, headers: { cookie: `stayd=${token}` } }),
      await client.request('GET', '/auth/check', { cookies: false, headers: { authorization: `Bearer ${token}` } }),
    ];
    for (const { status } of answers) assert.equal(status, 401, token.slice(0, 50));
  }
  assert.equal((await client.request('DELETE', '/api/v1/sessions/not-an-id')).status, 404);
});

test('after all that nothing has died', () => {
  assert.equal(server.log.filter(({ event }) => event === 'process_died').length, 0);
});
