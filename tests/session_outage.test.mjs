// SPDX-License-Identifier: ISC
// Sessions through outages of a whole stayd: the store held still, core killed again and again, all of it ended and
// started. "Not logged in" is never said of what isn't known; what was acknowledged holds.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { CHEAP, check, checkToken, clientOf, holdStill, login, PASSWORD, signedIn, tokenOf } from './lib/accounts.mjs';
import { atEnd, until } from './lib/process.mjs';
import { startStayd } from './lib/stayd.mjs';

let server;

before(async () => {
  server = await startStayd({ config: { fronts: 2, registration: 'open', ...CHEAP } });
  atEnd(() => server.stop());
  for (const name of ['ada', 'eve', 'grace', 'hedy', 'ida']) await server.addUser(name, PASSWORD);
});

const unknown = () => randomBytes(32).toString('base64url');

/** Waits until no end is only visible, and not durable. */
const allDurable = () => until(async () => (await server.ctlJson('status')).ends_pending === 0, {
  timeout: 30_000, every: 100, what: 'all ends durable' });

test('without the store: known sessions are valid, what is not known is said to be unknown', async () => {
  const known = await Promise.all([1, 2, 3].map(() => signedIn(server)));
  const [leaving, hedy, hedy2, hedy3] = [await signedIn(server, 'eve'), await signedIn(server, 'hedy'),
    await signedIn(server, 'hedy'), await signedIn(server, 'hedy')];
  const [gone, gone2, gone3] = [leaving, hedy2, hedy3].map(tokenOf);
  const goOn = await holdStill(server, 'stayd-store');
  try {
    const loggingIn = login(server, 'ada');
    const loggingOut = leaving.post('/api/v1/logout');
    const endingOthers = hedy.delete('/api/v1/sessions');

    // Over at once, long before anything could be durable. (An entry of an account whose sessions all ended may be
    // swept from the table; then nobody but the store knows it, and that is said.)
    await until(async () => (await checkToken(server, gone)) === 401, { timeout: 4000, what: 'an end that is seen' });
    await until(async () => !(await Promise.all([gone2, gone3].map((token) => checkToken(server, token)))).includes(200), {
      timeout: 15_000, what: 'others that are over' });
    assert.equal(await check(hedy), 200, 'the one that is kept');

    for (const client of known) assert.equal(await check(client), 200);
    const answers = await Promise.all([1, 2, 3, 4].map((i) => clientOf(server, {
      address: `127.0.30.${i}`, headers: { authorization: `Bearer ${unknown()}` } }).get('/auth/check')));
    for (const answer of answers) {
      assert.equal(answer.status, 503);
      assert.ok(Number(answer.headers['retry-after']) >= 1);
    }
    assert.equal(await check(clientOf(server)), 401, 'no token at all is no question');
    assert.equal((await clientOf(server).get('/readyz')).status, 200);

    const { answer } = await loggingIn;
    assert.equal(answer.status, 503, answer.text);
    assert.ok(Number(answer.headers['retry-after']) >= 1);
    assert.match(answer.headers['content-type'], /^application\/problem\+json/);
    // Nobody is told that an end holds everywhere when the store does not have it.
    for (const status of [(await loggingOut).status, (await endingOthers).status]) assert.equal(status, 503);
    assert.equal(await checkToken(server, gone), 401, 'still over');
    const page = await clientOf(server, { headers: { cookie: `stayd=${unknown()}` } }).get('/account');
    assert.equal(page.status, 503, 'a page says so too');
    for (const client of known) assert.equal(await check(client), 200, 'to the end');
  } finally {
    await goOn();
  }
  await allDurable();
  await server.restart();
  for (const token of [gone, gone2, gone3]) assert.equal(await checkToken(server, token), 401);
  for (const client of [...known, hedy]) assert.equal(await check(client), 200);
  assert.equal((await login(server, 'eve')).answer.status, 200);
});

test('a core that dies with ends that are not durable leaves them to the next one', async () => {
  const [leaving, staying] = [await signedIn(server, 'eve'), await signedIn(server, 'eve')];
  const gone = tokenOf(leaving);
  const goOn = await holdStill(server, 'stayd-store');
  try {
    leaving.post('/api/v1/logout').catch(() => {});
    await until(async () => (await checkToken(server, gone)) === 401, { timeout: 4000, what: 'an end that is seen' });
    server.kill('stayd-core');
    for (let i = 0; i < 5; i += 1) {
      assert.notEqual(await checkToken(server, gone), 200);
      assert.equal(await check(staying), 200);
    }
  } finally {
    await goOn();
  }
  await allDurable();
  await server.restart();
  assert.equal(await checkToken(server, gone), 401);
  assert.equal(await check(staying), 200);
});

/** Numbers from a seed that is printed, so that a run can be looked at again. */
function generator(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

test('core killed again and again: acknowledged ends and grants hold', async (t) => {
  const seed = Number(process.env.STAYD_SEED ?? Date.now() % 1e9);
  const random = generator(seed);
  t.diagnostic(`STAYD_SEED=${seed}`);
  const [live, ended] = [new Map(), new Set()];
  const counts = { granted: 0, ended: 0, others: 0, unclear: 0, kills: 0, checks: 0 };
  let running = true;

  const names = ['ada', 'grace', 'hedy', 'ida'];
  async function step(name, mine) {
    const what = random(10);
    if (what < 5 || mine.length < 2) {
      const { answer } = await login(server, name, PASSWORD, { json: { token: true } });
      if (answer.status !== 200) return assert.ok([429, 503].includes(answer.status), `log-in: ${answer.status} ${answer.text}`);
      const { token, session } = answer.json();
      mine.push({ token, id: session.id });
      live.set(token, name);
      counts.granted += 1;
      return undefined;
    }
    const by = mine[random(mine.length)];
    const client = clientOf(server, { headers: { authorization: `Bearer ${by.token}` } });
    const others = what === 9;
    const victims = others ? mine.filter((one) => one !== by) : [mine[random(mine.length)]];
    for (const { token } of victims) live.delete(token); // from here on nothing is promised, until the answer
    mine.splice(0, mine.length, ...mine.filter((one) => !victims.includes(one)));
    const path = others ? '/api/v1/sessions' : `/api/v1/sessions/${victims[0].id}`;
    const { status, text } = await client.delete(path).catch(() => ({ status: 0 }));
    if (status === 204) {
      for (const { token } of victims) ended.add(token);
      counts[others ? 'others' : 'ended'] += 1;
    } else {
      counts.unclear += 1;
      assert.ok([0, 503].includes(status), `end: ${status} ${text}`);
    }
    return undefined;
  }
  async function worker(name) {
    const mine = [];
    while (running) {
      await step(name, mine).catch((error) => {
        if (error.code === 'ERR_ASSERTION') throw error;
      });
      await delay(random(30));
    }
  }
  async function watcher() {
    while (running) {
      for (const [set, wrong] of [[[...live.keys()], 401], [[...ended], 200]]) {
        const token = set[random(set.length)];
        if (token === undefined) continue;
        const status = await checkToken(server, token).catch(() => 0);
        counts.checks += 1;
        assert.ok(status !== wrong || (wrong === 401 && !live.has(token)), `${wrong === 200 ? 'ended' : 'live'}: ${status}`);
      }
      await delay(5);
    }
  }
  async function killer() {
    for (const end = Date.now() + 18_000; Date.now() < end; await delay(100 + random(900))) {
      const pids = server.children()['stayd-core'];
      if (!pids) continue;
      server.kill('stayd-core');
      counts.kills += 1;
    }
    running = false;
  }
  const all = [killer(), watcher(), ...names.map(worker)];
  await Promise.all(all).finally(() => {
    running = false;
  });
  t.diagnostic(JSON.stringify(counts));
  assert.ok(counts.granted > 20 && counts.ended > 5 && counts.kills > 8, JSON.stringify(counts));
  await server.ready();
  await allDurable();
  const hold = async (when) => {
    for (const token of live.keys()) await until(async () => (await checkToken(server, token)) !== 503);
    for (const token of live.keys()) assert.equal(await checkToken(server, token), 200, `${when}: granted`);
    for (const token of [...ended].slice(-150)) assert.equal(await checkToken(server, token), 401, `${when}: ended`);
  };
  await hold('after the last core');
  await server.restart({ signal: 'SIGKILL' });
  await hold('after the whole server was killed');
});

test('the whole server, restarted: sessions from the store, ended ones stay ended', async () => {
  const [stays, goes] = [await signedIn(server, 'ida'), await signedIn(server, 'ida')];
  const gone = tokenOf(goes);
  assert.equal((await goes.post('/api/v1/logout')).status, 204);
  for (const signal of ['SIGTERM', 'SIGKILL']) {
    await server.restart({ signal });
    assert.equal(await check(stays), 200, signal);
    assert.equal(await checkToken(server, gone), 401, signal);
    const answer = await stays.get('/auth/check');
    assert.deepEqual([answer.headers['remote-user'], answer.headers['remote-email']], ['ida', 'ida@example.org']);
  }
  const ended = (await stays.get('/api/v1/sessions')).json().sessions;
  assert.equal(ended.filter(({ current }) => current).length, 1);
});
