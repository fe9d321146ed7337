// SPDX-License-Identifier: ISC
// Sessions that expire in a whole stayd: by idleness, by age, and not while nobody could have noted that they are used.
// Seconds where an installation has days; what must not have happened yet is asserted with a wide margin only.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { CHEAP, check, checkToken, clientOf, holdStill, PASSWORD, signedIn, tokenOf } from './lib/accounts.mjs';
import { atEnd, until } from './lib/process.mjs';
import { startStayd } from './lib/stayd.mjs';

async function start(config) {
  const server = await startStayd({ config: { ...CHEAP, ...config } });
  atEnd(() => server.stop());
  await server.addUser('ada', PASSWORD);
  return server;
}

const listed = async (server, { said }) => (await server.ctlJson('session', 'list', 'ada')).some(({ id }) => id === said.session.id);

/** Checks the session until `seconds` have gone by; every answer must be one of `answers`. */
async function keepChecking(token, server, seconds, answers = [200]) {
  const seen = new Set();
  for (const end = Date.now() + seconds * 1000; Date.now() < end; await delay(150)) {
    const status = await checkToken(server, token);
    seen.add(status);
    assert.ok(answers.includes(status), `${status}, ${Math.round((end - Date.now()) / 100) / 10} s before the end`);
  }
  return seen;
}

describe('expiry', { concurrency: 3 }, () => {
  describe('by idleness and by age', { concurrency: 4 }, () => {
    let server;
    before(async () => {
      server = await start({ session_idle: '5s', session_max: '16s' });
    });

    test('a session says when it will be over', async () => {
      const ada = await signedIn(server);
      const { expires_at: idle, expires_max_at: max } = ada.said.session;
      assert.ok(Date.parse(max) - Date.parse(idle) >= 8000 && Date.parse(max) - Date.parse(idle) <= 13000, `${idle} ${max}`);
      const [, age] = /Max-Age=(\d+)/.exec(ada.jar.get('stayd').header);
      assert.ok(age >= 14 && age <= 16, `Max-Age ${age}: the cookie lives as long as the session can`);
    });

    test('one that is not used expires, for checks and for lists', async () => {
      const ada = await signedIn(server);
      assert.equal(await listed(server, ada), true);
      await until(async () => !(await listed(server, ada)), { timeout: 30_000, every: 300, what: 'gone from the list' });
      assert.equal(await check(ada), 401);
      for (let i = 0; i < 3; i += 1) assert.equal(await check(ada), 401, 'asking does not bring it back');
    });

    test('one that is only checked stays, through far more than its idle time; its age ends it', async () => {
      const began = Date.now();
      const ada = await signedIn(server);
      await keepChecking(tokenOf(ada), server, 11);
      await until(async () => (await check(ada)) === 401, { timeout: 40_000, every: 150, what: 'the end of a session in use' });
      const lived = (Date.now() - began) / 1000;
      assert.ok(lived > 14, `${lived} s of 16`);
      assert.equal(await check(ada), 401);
    });

    test('a bearer and a page keep a session alive as well', async () => {
      const ada = await signedIn(server);
      for (let i = 0; i < 5; i += 1) {
        await delay(1500);
        assert.equal((await ada.get('/account')).status, 200, `after ${i + 1} × 1.5 s`);
      }
      assert.equal(await check(ada), 200);
    });
  });

  describe('while somebody is away', { concurrency: 1 }, () => {
    let server;
    before(async () => {
      server = await start({ session_idle: '6s', session_max: '10m' });
    });

    test('nothing expires while core is away', async () => {
      const [used, resting] = [await signedIn(server), await signedIn(server)];
      const goOn = await holdStill(server, 'stayd-core');
      try {
        await keepChecking(tokenOf(used), server, 9);
        assert.equal(await check(resting), 200, 'not used for longer than its time');
      } finally {
        await goOn();
      }
      // The checks meanwhile were noted: the new core does not take them for idle.
      await keepChecking(tokenOf(used), server, 2);
      assert.equal(await check(resting), 200);
    });

    test('time that stayd did not run is not idleness', async () => {
      const ada = await signedIn(server);
      const other = await signedIn(server);
      await server.stop();
      await delay(7500);
      await server.start();
      assert.equal(await check(ada), 200);
      // Idleness counts again from then on.
      await until(async () => !(await listed(server, other)), { timeout: 40_000, every: 300, what: 'idle at last' });
      assert.equal(await check(other), 401);
    });
  });

  test('a shorter session_idle after SIGHUP holds for sessions that are used from then on', async () => {
    const server = await start({ session_idle: '10m', session_max: '20m' });
    const ada = await signedIn(server);
    server.reload({ session_idle: '3s' });
    await server.logged((entry) => /reload/.test(entry.line));
    await until(async () => {
      const fresh = await signedIn(server);
      const { expires_at: idle } = fresh.said.session;
      return Date.parse(idle) - Date.now() < 60_000 && fresh;
    }, { what: 'the new setting' });
    const fresh = await signedIn(server);
    await until(async () => !(await listed(server, fresh)), { timeout: 30_000, every: 300, what: 'idle by the new setting' });
    assert.equal(await check(fresh), 401);
    assert.ok([200, 401].includes(await check(ada)));
    assert.equal(await check(clientOf(server)), 401);
  });
});
