// SPDX-License-Identifier: ISC
// stayctl review on a whole stayd: what was measured is told, what was not is not, and weeks outlive restarts.
import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { before, test } from 'node:test';
import { Client } from './lib/http.mjs';
import { atEnd, run, until } from './lib/process.mjs';
import { executable, startStayd } from './lib/stayd.mjs';

const PASSWORD = 'seven quiet harbours';
let server;

before(async () => {
  server = await startStayd({ config: { password_memory: '8MiB', password_time: 1 } });
  atEnd(() => server.stop());
  await server.addUser('alice', PASSWORD);
});

const of = (review, what) => review.capacity.find((one) => one.what === what);

test('at first it says what it does not know', async () => {
  const review = await until(async () => { // the supervisor tells its figures once a second
    const now = await server.ctlJson('review');
    return of(now, 'sessions').capacity !== null && now;
  }, { what: 'figures of the machine' });
  assert.equal(of(review, 'checks_per_second').capacity, null);
  assert.equal(of(review, 'logins_per_second').headroom, null);
  assert.ok(of(review, 'connections').capacity > 100);
  assert.ok(of(review, 'sessions').capacity > 10_000);
  assert.ok(review.advice.some(({ text }) => /less than a week/.test(text)));
  const { stdout } = await server.ctl('review');
  assert.match(stdout, /not measured yet/);
});

test('log-ins are measured; minutes, peaks and statements are there after a restart', async () => {
  await new Promise((done) => { setTimeout(done, 2500); }); // the first second that is watched only says what was before
  for (let i = 0; i < 8; i += 1) {
    const client = new Client(server.url);
    assert.equal((await client.post('/api/v1/login', { json: { username: 'alice', password: PASSWORD } })).status, 200);
    assert.equal((await client.get('/auth/check')).status, 200);
  }
  const before = await server.ctlJson('review');
  const logins = of(before, 'logins_per_second');
  assert.ok(logins.capacity > 0.5 && logins.capacity < 10_000, `${logins.capacity}`);
  assert.ok(before.statements.some(({ operation, runs, mean_ms: mean }) => operation === 'session_grant' && runs >= 8 && mean > 0));
  await new Promise((done) => { setTimeout(done, 2500); }); // what was answered is in a second that was watched
  await server.restart();
  const { minutes, since, answers } = await server.ctlJson('review');
  assert.ok(minutes >= 1 && minutes <= 3, `${minutes}`);
  assert.ok(Math.abs(Date.parse(since) - Date.now()) < 180_000);
  assert.ok(answers.all >= 1 && answers.failed === 0, JSON.stringify(answers));
  await server.logged({ event: 'history_opened', message: /^[1-3] minutes/ });
  assert.match((await server.ctl('review')).stdout, /^FULL FIRST/m);
});

test('a file that was damaged costs what was damaged, and does not grow past its bound', async () => {
  await server.stop();
  const file = join(server.dataDir, 'incidents', '.history');
  const size = statSync(file).size;
  assert.ok(size > 0 && size <= 50_400 * 168);
  writeFileSync(file, Buffer.alloc(200_000, 'no history at all '));
  await server.start();
  assert.equal((await server.ctlJson('review')).minutes, 0);
  await server.logged({ event: 'history_opened', message: /^0 minutes/ });
});

test('docs/stayctl.md: the commands of "review"; it names every capacity', async () => {
  const page = readFileSync(new URL('../docs/stayctl.md', import.meta.url), 'utf8');
  const [, block] = /^## review[\s\S]*?^```sh\n([\s\S]*?)^```$/m.exec(page);
  const env = { PATH: `${dirname(executable('stayctl'))}${delimiter}${process.env.PATH}`, STAYD_CONFIG: server.configFile };
  const shown = [];
  assert.equal((await new Client(server.url).post('/api/v1/login', { json: { username: 'alice', password: PASSWORD } })).status, 200);
  await until(async () => (await server.ctlJson('review')).statements.length > 0, { what: 'a statement' });
  for (const line of block.trim().split('\n')) {
    const { code, stdout, stderr } = await run('sh', ['-c', line], { env });
    assert.equal(code, 0, `${line}\n${stdout}${stderr}`);
    shown.push(stdout);
  }
  for (const part of [/^CAPACITY/m, /^logins per second/m, /^checks per second/m, /^STATEMENT/m, /^CACHE/m, /Incidents: \d/]) assert.match(shown[0], part);
});
