// SPDX-License-Identifier: ISC
// stayctl storm against a whole stayd, and against servers that misbehave: what it counts must be what happened.
import assert from 'node:assert/strict';
import http from 'node:http';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { executable, startStayd } from './lib/stayd.mjs';
import { atEnd, run, temporaryFolder } from './lib/process.mjs';

const PASSWORD = 'seven quiet harbours';
const CHEAP = { registration: 'open', password_memory: '8MiB', password_time: 1, connections_per_source_max: 64 };
let server;

before(async () => {
  server = await startStayd({ config: CHEAP });
  atEnd(() => server.stop());
  await server.addUser('admin', PASSWORD, { groups: ['admins'] });
});

async function storm(code, ...args) {
  const done = await run(executable('stayctl'), ['storm', ...args.map(String)]);
  assert.equal(done.code, code, `${args.join(' ')}\n${done.stdout}${done.stderr}`);
  return done;
}

async function stormJson(...args) {
  return JSON.parse((await storm(0, ...args, '--json')).stdout);
}

/** All answers of a class, whatever they were. */
const answers = (one) => ['ok', 'refused', 'late', 'failed', 'wrong'].reduce((sum, outcome) => sum + one[outcome].count, 0);

test('it registers accounts, logs them in, and everything offered is accounted for', async () => {
  const report = await stormJson(server.url, '--prepare', '--users', 12, '--duration', '4s', '--deadline', '8s',
    '--mix', 'check=100,login=3,change=4,register=1');
  assert.equal(report.prepared.registered, 12);
  assert.deepEqual(Object.keys(report.classes), ['check', 'login', 'change', 'register']);
  for (const [name, one] of Object.entries(report.classes)) {
    assert.equal(answers(one), one.offered + one.retries, name);
    assert.equal(one.ok.count, one.offered, `${name} ${JSON.stringify(report.failed)} ${JSON.stringify(report.status)}`);
    assert.ok(one.ok.p50_ms > 0 && one.ok.p50_ms <= one.ok.p99_ms && one.ok.p99_ms <= one.ok.max_ms);
  }
  // Poisson: within five standard deviations.
  assert.ok(Math.abs(report.classes.check.offered - 400) < 100);
  const bySecond = report.by_second.reduce((sum, second) => sum + second.check.ok, 0);
  assert.equal(bySecond, report.classes.check.ok.count);
});

test('the accounts have addresses of their own, and connections are used again', async () => {
  const report = await stormJson(server.url, '--prepare', '--users', 8, '--sources', 8, '--duration', '2s', '--uniform',
    '--mix', 'check=100');
  assert.equal(report.classes.check.offered, 199);
  assert.ok(report.self.connections_opened <= 100, `${report.self.connections_opened} connections`);
  const users = (await server.ctlJson('user', 'list')).filter(({ name }) => name.startsWith('storm-'));
  const sessions = await Promise.all(users.slice(-8).map(({ name }) => server.ctlJson('session', 'list', name)));
  const addresses = new Set(sessions.flat().map((session) => session.address));
  assert.ok(addresses.size > 1, `${[...addresses]}`);
});

test('phases of a spike are told apart', async () => {
  const report = await stormJson(server.url, '--prepare', '--users', 4, '--duration', '3s', '--uniform', '--mix', 'check=50',
    '--spike', 'x4@1s+1s');
  assert.deepEqual(report.phases.map((phase) => [phase.begin_s, phase.end_s]), [[0, 1], [1, 2], [2, 3]]);
  assert.deepEqual(report.phases.map((phase) => Math.round(phase.classes.check.offered / 50)), [1, 4, 1]);
});

test('accounts by file; a password that is wrong stops it before the load', async () => {
  const file = join(temporaryFolder('storm'), 'people');
  writeFileSync(file, `# one\nadmin ${PASSWORD}\n`);
  const report = await stormJson(server.url, '--accounts', file, '--duration', '1s', '--mix', 'check=20');
  assert.equal(report.accounts, 1);
  writeFileSync(file, 'admin something else entirely\n');
  assert.match((await storm(1, server.url, '--accounts', file)).stderr, /admin can't log in/);
});

test('what it will not do', async () => {
  assert.match((await storm(1, 'http://192.0.2.1:8080', '--prepare')).stderr, /not this machine's loopback/);
  assert.match((await storm(1, server.url)).stderr, /password is not known/);
  assert.match((await storm(3, 'http://127.0.0.1:1', '--prepare')).stderr, /does not answer/);
  assert.match((await storm(2, server.url, '--mix', 'chekc=1')).stderr, /mix is a list/);
  assert.match((await storm(2, server.url, '--rate', '5', '--steps', '1,2')).stderr, /exclude/);
  assert.match((await storm(2)).stderr, /needs more words/);
  assert.match((await storm(0, '--help')).stdout, /open model/);
});

/** A server that answers log-ins as stayd does, and checks as it is told. */
async function impostor(check, duration = '1s') {
  const token = 'A'.repeat(43);
  let asked = 0;
  const fake = http.createServer((request, response) => {
    request.resume();
    if (request.url === '/api/v1/login') {
      response.writeHead(200, { 'Set-Cookie': `stayd=${token}; Path=/`, 'Content-Length': 0 }).end();
    } else {
      check(response, asked++);
    }
  });
  fake.listen(0, '127.0.0.1');
  await once(fake, 'listening');
  atEnd(() => fake.close());
  const file = join(temporaryFolder('storm'), 'people');
  writeFileSync(file, 'alice correct horse\n');
  return { fake, asked: () => asked, args: [`http://127.0.0.1:${fake.address().port}`, '--accounts', file,
    '--duration', duration, '--uniform', '--mix', 'check=21'] };
}

test('somebody else\'s name is a wrong identity, and an exit code', async () => {
  const { fake, args } = await impostor((response, count) => {
    response.writeHead(200, { 'Remote-User': count === 7 ? 'mallory' : 'alice', 'Content-Length': 0 }).end();
  });
  const done = await storm(1, ...args, '--json');
  const { check } = JSON.parse(done.stdout).classes;
  assert.equal(check.wrong.count, 1);
  assert.equal(check.ok.count, check.offered - 1);
  assert.match(done.stderr, /1 checks were answered with somebody else's name/);
  fake.close();
});

test('a refusal with Retry-After is one, without it a failure; rude and polite come back', async (t) => {
  const refusing = (headers) => impostor((response) => response.writeHead(503, { 'Content-Length': 0, ...headers }).end());
  await t.test('with', async () => {
    const { args } = await refusing({ 'Retry-After': '1' });
    const report = await stormJson(...args);
    assert.equal(report.classes.check.refused.count, 20);
    assert.deepEqual(report.failed, {});
  });
  await t.test('without', async () => {
    const { args } = await refusing({});
    const report = await stormJson(...args);
    assert.deepEqual(report.failed, { no_retry_after: 20 });
  });
  await t.test('rude', async () => {
    const { args, asked } = await refusing({ 'Retry-After': '1' });
    const report = await stormJson(...args, '--retries', 'rude:3');
    assert.equal(report.classes.check.retries, 60);
    assert.equal(asked(), 80);
  });
  await t.test('polite', async () => {
    const { args, asked } = await impostor((response, count) => (count < 4
      ? response.writeHead(429, { 'Retry-After': '1', 'Content-Length': 0 }).end()
      : response.writeHead(200, { 'Remote-User': 'alice', 'Content-Length': 0 }).end()), '3s');
    const report = await stormJson(...args, '--retries', 'polite');
    assert.equal(report.classes.check.refused.count, 4);
    assert.equal(report.classes.check.done_by_retry, 4);
    assert.equal(asked(), report.classes.check.offered + 4);
  });
});

test('answers that never come, break off, or are none', async () => {
  const { args } = await impostor((response, count) => {
    if (count % 4 === 0) return; // never
    if (count % 4 === 1) response.socket.destroy();
    else if (count % 4 === 2) response.socket.end('nonsense\r\n\r\n');
    else setTimeout(() => response.writeHead(200, { 'Remote-User': 'alice', 'Content-Length': 0 }).end(), 300);
  });
  const report = await stormJson(...args, '--timeout', '2s', '--deadline', '200ms');
  assert.deepEqual(report.failed, { ended: 5, timeout: 5, malformed: 5 });
  assert.equal(report.classes.check.late.count, 5);
  assert.ok(report.classes.check.late.p50_ms >= 300);
});

test('over https', async () => {
  const secure = await startStayd({ tls: true, config: CHEAP });
  atEnd(() => secure.stop());
  await secure.addUser('admin', PASSWORD, { groups: ['admins'] });
  const file = join(temporaryFolder('storm'), 'people');
  writeFileSync(file, `admin ${PASSWORD}\n`);
  const report = await stormJson(secure.url, '--accounts', file, '--duration', '1s', '--uniform', '--mix', 'check=41');
  assert.equal(report.classes.check.ok.count, 40, JSON.stringify(report));
});
