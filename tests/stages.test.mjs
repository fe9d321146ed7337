// SPDX-License-Identifier: ISC
// Where the time of a change goes: the stages in its log line add up to the time it took, what they don't explain
// is less than 2 % of it in 99 of 100, and /metrics says the same.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { Client } from './lib/http.mjs';
import { startStayd } from './lib/stayd.mjs';
import { atEnd, until } from './lib/process.mjs';

const STAGES = ['accept', 'parse', 'queue', 'gate', 'pool', 'statement', 'commit', 'key', 'hash_wait', 'hash', 'transit',
  'core', 'return', 'write'];
const PEOPLE = 40;
const password = (i) => `torpid violin ${i} cactus lamp`;
const onServer = process.env.STAYD_TEST_DATABASE === 'postgres'; // its commit is part of the statement
let server;

before(async () => {
  server = await startStayd({ config: { fronts: 2, registration: 'open', password_memory: '8MiB' } });
  atEnd(() => server.stop());
  await server.addUser('alice', password(0)); // people register once there is somebody
});

const sum = (stages) => STAGES.reduce((all, stage) => all + stages[`${stage}_us`], 0);

/** The changes in the log, their times as numbers. */
function changes(event) {
  return server.log.filter((line) => line.total_us !== undefined && (event === undefined || line.event === event))
    .map((line) => Object.fromEntries(Object.entries(line).map(([key, value]) => [key, key.endsWith('_us') ? Number(value) : value])));
}

/** Every kind of change, many at once, some refused. */
async function person(i) {
  const name = `person${i}`;
  const client = new Client(server.url);
  const post = (path, json) => client.post(path, { json });
  assert.equal((await post('/api/v1/register', { username: name, email: `${name}@example.com`, password: password(i) })).status, 201);
  assert.equal((await post('/api/v1/login', { username: name, password: 'not this one at all' })).status, 401);
  assert.equal((await post('/api/v1/login', { username: name, password: password(i) })).status, 200);
  assert.equal((await post('/api/v1/password', { current: password(i), new: password(i + 1000) })).status, 200);
  const other = new Client(server.url);
  assert.equal((await other.post('/api/v1/login', { json: { username: name, password: password(i + 1000) } })).status, 200);
  assert.equal((await client.delete('/api/v1/sessions')).status, 204);
  assert.equal((await post('/api/v1/logout')).status, 204);
}

test('the stages of every change add up to the time it took', async () => {
  for (let i = 0; i < PEOPLE; i += 4) await Promise.all([0, 1, 2, 3].map((j) => person(i + j)));
  const seen = await until(() => {
    const list = changes();
    return list.filter(({ event }) => event === 'logout').length === PEOPLE && list;
  }, { what: 'all in the log' });
  for (const event of ['register', 'login', 'password_change', 'session_end_others', 'logout']) {
    assert.ok(changes(event).length >= PEOPLE, `${event}: ${changes(event).length}`);
  }
  for (const line of seen) {
    for (const stage of STAGES) assert.ok(line[`${stage}_us`] >= 0, `${line.event} says ${stage}`);
    // Each is cut to whole microseconds.
    assert.ok(Math.abs(line.total_us - line.residual_us - sum(line)) <= STAGES.length + 1, JSON.stringify(line));
  }
  const shares = seen.map((line) => line.residual_us / line.total_us).sort((a, b) => a - b);
  assert.ok(shares[Math.ceil(shares.length * 0.99) - 1] < 0.02, `unexplained: ${shares.slice(-5)}`);
});

test('each stage is where the time goes', () => {
  const granted = changes('login').filter(({ outcome }) => outcome === 'granted');
  const median = (list, key) => list.map((line) => line[key]).sort((a, b) => a - b)[Math.floor(list.length / 2)];
  assert.ok(median(granted, 'hash_us') > 1000, 'a password is hashed');
  assert.ok(onServer || median(granted, 'commit_us') > 0, 'a session is made durable');
  assert.ok(median(granted, 'statement_us') > 0);
  assert.ok(median(granted, 'transit_us') > 0);
  assert.ok(median(granted, 'total_us') < 5_000_000);
  assert.equal(median(changes('logout'), 'hash_us'), 0);
  assert.ok(onServer || median(changes('logout'), 'commit_us') > 0, 'its end is durable');
});

test('a request that stayd never took has no more than a front', async () => {
  const client = new Client(server.url);
  server.kill('stayd-core', 'SIGSTOP');
  const answer = await client.post('/api/v1/login', { json: { username: 'person1', password: password(1001) } });
  assert.equal(answer.status, 503); // the supervisor kills what hangs
  const line = await until(() => changes('login').find(({ outcome }) => outcome === 'unavailable'), { what: 'in the log' });
  assert.ok(line.residual_us <= line.total_us * 0.02, JSON.stringify(line));
  assert.ok(line.queue_us > line.total_us * 0.9, 'it waited for core');
});

test('metrics say the same', async () => {
  const { text } = await new Client(server.opsUrl).get('/metrics');
  const total = (name, label) => [...text.matchAll(new RegExp(`^${name}\\{[^}]*${label}[^}]*\\} ([\\d.]+)$`, 'gm'))]
    .filter(([line]) => line.includes('process="stayd-front"')).reduce((all, [, value]) => all + Number(value), 0);
  const stages = ['accept', 'parse', 'front_queue', 'gate_wait', 'pool_wait', 'statement', 'commit', 'key', 'hash_wait', 'hash',
    'transit', 'core', 'return', 'write'];
  const explained = stages.reduce((all, stage) => all + total('stayd_stage_seconds_sum', `stage="${stage}"`), 0);
  const whole = total('stayd_request_seconds_sum', 'class="login"') + total('stayd_request_seconds_sum', 'class="change"');
  const residual = total('stayd_stage_seconds_sum', 'stage="residual"');
  assert.ok(whole > 0.1);
  assert.ok(residual <= whole * 0.02, `${residual} of ${whole}`);
  assert.ok(Math.abs(whole - explained) <= whole * 0.02, `${explained} of ${whole}`);
});
