// SPDX-License-Identifier: ISC
// A million sessions in a whole stayd: core is killed, and answers again at once. The figure of the design is held
// by `make bench`, on a build for it; here it is only that nothing is read through before the first answer.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { CHEAP, check, checkToken, clientOf, login } from './lib/accounts.mjs';
import { atEnd, until } from './lib/process.mjs';
import { seededTokens, seedFile } from './lib/seed.mjs';
import { startStayd } from './lib/stayd.mjs';

const SESSIONS = 1_000_000;

test('with a million sessions a new core answers at once', { timeout: 200_000 }, async (t) => {
  const server = await startStayd({ config: CHEAP });
  atEnd(() => server.stop());
  await server.stop();
  await seedFile(server, { sessions: SESSIONS });
  const began = Date.now();
  await server.start();
  const tokens = await seededTokens(Array.from({ length: 40 }, (_, i) => i * 24_999));
  for (const token of tokens) assert.equal(await checkToken(server, token), 200, 'from the store, long before all are read');
  const status = await until(async () => {
    const now = await server.ctlJson('status');
    return now.warm && now;
  }, { timeout: 150_000, every: 500, what: 'all sessions in the table' });
  t.diagnostic(`${status.sessions} sessions in the table after ${Date.now() - began} ms`);
  assert.equal(status.sessions, SESSIONS);

  const times = [];
  for (let round = 0; round < 3; round += 1) {
    const gone = clientOf(server, { headers: { authorization: `Bearer ${tokens[30 + round]}` } });
    assert.equal((await gone.post('/api/v1/logout')).status, 204);
    const [killed] = server.kill('stayd-core');
    const from = Date.now();
    for (const token of tokens.slice(0, 5)) assert.equal(await checkToken(server, token), 200, 'valid without core');
    // Only core can say this.
    await until(async () => {
      const answer = await clientOf(server, { headers: { authorization: `Bearer ${tokens[round]}` } }).get('/api/v1/session');
      return answer.status === 200;
    }, { timeout: 20_000, every: 5, what: 'an answer of the new core' });
    times.push(Date.now() - from);
    assert.ok(!server.children()['stayd-core'].includes(killed));
    assert.equal(await check(gone), 401);
    assert.equal((await login(server, `user${round}`)).answer.status, 200);
    await delay(300);
  }
  t.diagnostic(`core answered again after ${times.join(', ')} ms`);
  assert.ok(Math.min(...times) < 2000, times.join());
  await server.stop();
});
