// SPDX-License-Identifier: ISC
// Guessing passwords at a whole stayd: what a stranger can tell, and who has to wait.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { CHEAP, check, clientOf, login, metric, PASSWORD, signedIn } from './lib/accounts.mjs';
import { atEnd, until } from './lib/process.mjs';
import { startStayd } from './lib/stayd.mjs';

let server;

before(async () => {
  server = await startStayd({ config: CHEAP });
  atEnd(() => server.stop());
  for (const name of ['ada', 'eve', 'grace', 'hedy', 'ida', 'joan', 'kay']) await server.addUser(name, PASSWORD);
  await server.addUser('gone', PASSWORD);
  assert.equal((await server.ctl('user', 'disable', 'gone')).code, 0);
  assert.equal((await server.ctl('user', 'add', 'blank', '--no-password')).code, 0);
});

/** Fails until it has to wait: { tries, answer } of the first 429. */
async function hammer(username, { most = 40, ...options } = {}) {
  for (let tries = 0; tries < most; tries += 1) {
    const { answer } = await login(server, username, `not it ${tries}`, options);
    if (answer.status === 429) return { tries, answer };
    assert.equal(answer.status, 401, answer.text);
  }
  return assert.fail(`${username}: never slowed down`);
}

// What must not differ: everything but the request's own number and the time.
function shape({ status, headers, text }) {
  const rest = { ...headers };
  delete rest.date;
  delete rest['x-request-id'];
  const body = JSON.parse(text);
  if ('instance' in body) body.instance = '';
  return { status, headers: rest, body, length: text.length };
}

test('a wrong password, no such account, a disabled one and one without a password look the same', async () => {
  const tries = { wrong: 'ada', unknown: 'nobody', disabled: 'gone', blank: 'blank', impossible: 'No Such Name!' };
  const seen = {};
  for (const [what, username] of Object.entries(tries)) {
    const { client, answer } = await login(server, username, 'not the password', { address: '127.0.2.1' });
    seen[what] = shape(answer);
    assert.deepEqual(client.jar.cookies, [], what);
  }
  assert.equal(seen.wrong.status, 401);
  for (const [what, one] of Object.entries(seen)) assert.deepEqual(one, seen.wrong, what);
  const page = async (username) => {
    const answer = await clientOf(server, { address: '127.0.2.2' }).post('/login', { form: { username, password: 'not it' } });
    return { status: answer.status, text: answer.text.replaceAll(username, '').replace(/[0-9a-f]{16}/g, '') };
  };
  assert.deepEqual(await page('nobody'), await page('grace'));
});

test('each costs one hash of the same kind', async () => {
  const costs = {};
  for (const [number, username] of ['hedy', 'nobody2', 'gone', 'blank'].entries()) {
    const addresses = [1, 2, 3].map((i) => `127.0.3.${number * 10 + i}`);
    for (let i = 0; i < 3; i += 1) {
      assert.equal((await login(server, username, `not it either ${i}`, { address: addresses[i] })).answer.status, 401);
    }
    const lines = await until(() => {
      const found = server.log.filter((entry) => entry.event === 'login' && Number(entry.hash_us) > 0
        && addresses.includes(entry.source));
      return found.length === 3 && found;
    }, { what: `three log lines with a hash for ${username}` });
    costs[username] = Math.min(...lines.map((entry) => Number(entry.hash_us)));
  }
  // The least of three is little disturbed by what else the machine does; a path without hashing would be far below.
  const all = Object.values(costs);
  assert.ok(Math.max(...all) < 20 * Math.min(...all), JSON.stringify(costs));
});

test('delays grow per account: a few tries are free, then 429 and how long to wait', async () => {
  const before = await metric(server, 'stayd_logins_total', 'outcome="throttled"');
  const { tries, answer } = await hammer('eve', { address: '127.0.4.1' });
  assert.ok(tries >= 3 && tries <= 10, `${tries} free tries`);
  assert.equal(answer.json().type, 'urn:stayd:problem:throttled');
  assert.ok(Number(answer.headers['retry-after']) >= 1);
  assert.match(answer.headers['content-type'], /^application\/problem\+json/);
  // From elsewhere, and with the right password: who waits, waits. The account is what is guessed at.
  const elsewhere = await login(server, 'eve', PASSWORD, { address: '127.0.4.2' });
  if (elsewhere.answer.status !== 200) assert.equal(elsewhere.answer.status, 429);
  await until(async () => await metric(server, 'stayd_logins_total', 'outcome="throttled"') > before, { what: 'the metric' });
});

test('a wait grows with further failures, and a right password after it forgets all', async () => {
  await hammer('joan', { address: '127.0.5.1' });
  const waits = [];
  await until(async () => {
    const { answer } = await login(server, 'joan', `still not ${waits.length}`, { address: '127.0.5.2' });
    if (answer.status === 429) waits.push(Number(answer.headers['retry-after']));
    return waits.some((wait) => wait >= 2);
  }, { timeout: 20_000, every: 250, what: 'a longer wait' });
  await until(async () => (await login(server, 'joan', PASSWORD, { address: '127.0.5.3' })).answer.status === 200, {
    timeout: 30_000, every: 300, what: 'the owner after the wait' });
  for (let i = 0; i < 3; i += 1) {
    assert.equal((await login(server, 'joan', 'a slip', { address: '127.0.5.4' })).answer.status, 401, 'free again');
  }
  assert.equal((await login(server, 'joan', PASSWORD, { address: '127.0.5.4' })).answer.status, 200);
});

test('another spelling of a name is no new start', async () => {
  const spellings = ['grace', 'Grace', 'GRACE', 'gRaCe', 'graCE'];
  let slowed = 0;
  for (let i = 0; i < 12 && !slowed; i += 1) {
    const { answer } = await login(server, spellings[i % spellings.length], `not it ${i}`, { address: `127.0.6.${i + 1}` });
    if (answer.status === 429) slowed = i;
  }
  assert.ok(slowed > 0 && slowed <= 10, `slowed after ${slowed}`);
});

test('a name that does not exist is slowed just as one that does', async () => {
  const real = await hammer('kay', { address: '127.0.7.1' });
  const none = await hammer('kayx', { address: '127.0.7.2' });
  assert.ok(Math.abs(real.tries - none.tries) <= 2, `${real.tries}, ${none.tries}`);
  assert.deepEqual(Object.keys(real.answer.json()).sort(), Object.keys(none.answer.json()).sort());
});

test('the owner\'s browser is known, and gets in while strangers hammer the account', async () => {
  const owner = await signedIn(server, 'ida', PASSWORD, { address: '127.0.8.1' });
  assert.ok(owner.jar.get('stayd_device'), 'a device cookie');
  assert.equal((await owner.post('/api/v1/logout')).status, 204);
  assert.ok(owner.jar.get('stayd_device'), 'which outlives the session');
  for (let i = 0; i < 3; i += 1) {
    await hammer('ida', { address: `127.0.8.${i + 10}` });
    assert.equal((await login(server, 'ida', PASSWORD, { client: owner })).answer.status, 200, `round ${i}`);
  }
  // It is the owner's cookie for this account only: for another one, or torn, it is worth nothing.
  const { value } = owner.jar.get('stayd_device');
  const thief = clientOf(server, { address: '127.0.8.40' });
  thief.jar.set(server.url, 'stayd_device', `${value.slice(0, -2)}AA`);
  await hammer('ida', { client: thief });
  // And guessing with it is slowed on its own account.
  const known = clientOf(server, { address: '127.0.8.41' });
  known.jar.set(server.url, 'stayd_device', value);
  const { tries } = await hammer('ida', { client: known });
  assert.ok(tries <= 15, `${tries}`);
});

test('neighbours behind one address are not locked out by one of them', async () => {
  await hammer('neighbour1', { address: '127.0.9.1' });
  await hammer('neighbour2', { address: '127.0.9.1' });
  assert.equal((await login(server, 'hedy', PASSWORD, { address: '127.0.9.1' })).answer.status, 200);
  // Very many failures slow the address a little, whoever is meant by them.
  let longest = 0;
  for (let i = 0; i < 90; i += 1) {
    const { answer } = await login(server, `stranger${i}`, 'not it', { address: '127.0.9.2' });
    if (answer.status === 429) longest = Math.max(longest, Number(answer.headers['retry-after']));
  }
  assert.ok(longest >= 1 && longest <= 30, `${longest} s`);
  assert.equal((await login(server, 'hedy', PASSWORD, { address: '127.0.9.3' })).answer.status, 200, 'other addresses');
});

test('only failures count: many log-ins of one account and address at once are no guessing', async () => {
  const clients = Array.from({ length: 8 }, () => clientOf(server, { address: '127.0.10.1' }));
  for (let round = 0; round < 8; round += 1) {
    for (const client of clients.slice(0, 4)) {
      const { answer } = await login(server, 'hedy', PASSWORD, { client });
      assert.equal(answer.status, 200, answer.text);
    }
  }
  const open = await startStayd({ config: { registration: 'open', ...CHEAP } });
  atEnd(() => open.stop());
  await open.addUser('first', PASSWORD);
  for (let i = 0; i < 60; i += 1) {
    const answer = await clientOf(open).post('/api/v1/register', {
      json: { username: `made${i}`, email: `made${i}@example.net`, password: PASSWORD },
    });
    assert.equal(answer.status, 201, `account ${i}: ${answer.text}`);
  }
  // All of them at once, behind one address: the queue before hashing may be full (503), but nobody guesses.
  const answers = await Promise.all(Array.from({ length: 60 }, (_, i) => login(open, `made${i}`)));
  const seen = answers.map(({ answer }) => answer.status);
  assert.ok(seen.every((status) => [200, 503].includes(status)), seen.join());
  await open.stop();
});

test('a throttled guess tells nothing: right or wrong, the answer is the same', async () => {
  await server.addUser('lise', PASSWORD);
  await hammer('lise', { address: '127.0.11.1' });
  const right = await login(server, 'lise', PASSWORD, { address: '127.0.11.2' });
  const wrong = await login(server, 'lise', 'not it', { address: '127.0.11.2' });
  for (const { answer } of [right, wrong]) {
    if (answer.status !== 429) return; // the wait was over: a slow machine
  }
  const [a, b] = [shape(right.answer), shape(wrong.answer)];
  for (const one of [a, b]) delete one.headers['retry-after'];
  assert.deepEqual(a, b);
});

test('the audit trail and the log name what happened, and no password', async () => {
  const refused = await server.ctlJson('audit', 'list', '--user', 'eve', '--event', 'login', '--limit', '0');
  assert.ok(refused.some(({ outcome }) => outcome === 'wrong_credentials'));
  assert.ok(refused.some(({ outcome }) => outcome === 'throttled'));
  assert.ok(!/not it|torpid/.test(server.output), 'passwords in the log');
  assert.equal(await check(clientOf(server)), 401);
});
