// SPDX-License-Identifier: ISC
// Many more log-ins than can be hashed: the workers stay busy, the rest is refused at once with Retry-After, checks
// notice nothing, and afterwards everyone gets in again.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { executable, startStayd } from './lib/stayd.mjs';
import { clientOf } from './lib/accounts.mjs';
import { atEnd, run } from './lib/process.mjs';

const PASSWORD = 'seven quiet harbours';
// One worker, some tens of milliseconds a hash: many times what it can do is little for everyone else.
const SLOW = { registration: 'open', hash_workers: 1, password_memory: '32MiB', password_time: 2 };
let server;

before(async () => {
  server = await startStayd({ config: { ...SLOW, connections_per_source_max: 2000 } });
  atEnd(() => server.stop());
  await server.addUser('admin', PASSWORD, { groups: ['admins'] });
});

test('log-ins times sixty, in the middle of checks', async () => {
  const done = await run(executable('stayctl'), ['storm', server.url, '--prepare', '--users', '20', '--mix',
    'check=50,login=4', '--spike', 'login:x60@3s+6s', '--duration', '14s', '--deadline', 'check=1s,login=5s', '--json']);
  assert.equal(done.code, 0, done.stderr);
  const report = JSON.parse(done.stdout);
  const [quiet, storm] = report.phases.map(({ classes }) => classes.login);
  const { check, login } = report.classes;
  assert.equal(check.ok.count, check.offered, JSON.stringify(check));
  assert.equal(login.failed.count + login.wrong.count + login.late.count, 0, JSON.stringify(login));
  assert.ok(storm.refused.count > storm.offered / 4, 'no storm: the machine hashes faster than was thought');
  // No less is served than before, and most of the others know it at once.
  assert.ok(storm.ok.count / 6 > 0.8 * (quiet.ok.count / 3), `${storm.ok.count} in 6 s, ${quiet.ok.count} in 3 s before`);
  assert.ok(storm.refused.p50_ms < 100, `${storm.refused.p50_ms} ms`);
  // From the second second after it on.
  for (const { login: second } of report.by_second.slice(11, 14)) assert.equal(second.refused, 0, JSON.stringify(report.by_second));
  const told = server.log.filter(({ event }) => event === 'turning_away');
  assert.match(told[0]?.message ?? 'nothing', /more passwords come than can be hashed/);
});

test('the answers say when to come again, and a browser keeps what was typed', async () => {
  const form = () => clientOf(server).post('/login', { form: { username: 'admin', password: PASSWORD } });
  const storm = run(executable('stayctl'), ['storm', server.url, '--prepare', '--users', '20', '--mix', 'login=240',
    '--duration', '5s', '--json']);
  let page;
  let over = false;
  storm.finally(() => { over = true; });
  while (!over && page === undefined) {
    const answer = await form();
    if (answer.status === 503) page = answer;
  }
  assert.equal((await storm).code, 0);
  assert.ok(page, 'no form was refused');
  const seconds = Number(page.headers['retry-after']);
  assert.ok(seconds >= 1 && seconds <= 180, `Retry-After: ${page.headers['retry-after']}`);
  assert.match(page.text, /value="admin"/);
  assert.match(page.text, /Very many people are logging in just now/);
  assert.ok(!page.text.includes(PASSWORD));
});
