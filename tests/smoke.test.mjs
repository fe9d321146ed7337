// SPDX-License-Identifier: ISC
// The least: stayd starts, says that it lives, shows the login page, and ends when told to.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client } from './lib/http.mjs';
import { startStayd } from './lib/stayd.mjs';

test('stayd starts, answers and ends', async (t) => {
  const server = await startStayd();
  const client = new Client(server.url);

  for (const path of ['/livez', '/readyz']) {
    await t.test(`GET ${path} is 200`, async () => {
      assert.equal((await client.get(path)).status, 200);
    });
  }

  await t.test('GET /login is a page', async () => {
    const answer = await client.get('/login');
    assert.equal(answer.status, 200);
    assert.match(answer.headers['content-type'], /^text\/html/);
    assert.match(answer.text, /<form/);
  });

  await t.test('a set-up link was printed, for this address', () => {
    assert.ok(server.setupLink().startsWith(`${server.url}/setup`));
  });

  await t.test('each process is there, under its own name', () => {
    const names = Object.keys(server.children());
    for (const name of ['front', 'core', 'store', 'hash', 'key', 'watch']) {
      assert.ok(names.includes(`stayd-${name}`), `stayd-${name} among ${names}`);
    }
  });

  await t.test('SIGTERM ends it, with all children', async () => {
    const { code, killed } = await server.stop();
    assert.equal(killed, false);
    assert.equal(code, 0);
  });
});
