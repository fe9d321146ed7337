// SPDX-License-Identifier: ISC
// The few lines of nginx in README.md, as they stand there, in front of an app.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { startApp } from './lib/app.mjs';
import { Client } from './lib/http.mjs';
import { startNginx } from './lib/nginx.mjs';
import { PASSWORD, received } from './lib/site.mjs';
import { startStayd } from './lib/stayd.mjs';

test('what README.md shows protects an app', async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const [, lines] = /^```nginx\n([\s\S]*?)^```$/m.exec(readme);
  const [app, server] = [await startApp(), await startStayd()];
  const locations = lines.replaceAll('127.0.0.1:3000', `127.0.0.1:${app.port}`)
    .replaceAll('127.0.0.1:8080', `127.0.0.1:${server.port}`);
  const nginx = await startNginx(({ port }) => `server { listen 127.0.0.1:${port}; ${locations} }`);
  await server.addUser('ada', PASSWORD, { groups: ['staff'] });

  const person = new Client(server.url); // cookies don't tell ports apart
  assert.equal((await person.get(`${nginx.url}/x`)).status, 401);
  assert.equal((await person.post('/login', { form: { username: 'ada', password: PASSWORD } })).status, 303);
  const lies = { 'remote-user': 'root', 'remote-groups': 'wheel', 'remote-name': 'Root', 'remote-email': 'root@example.org' };
  const seen = (await person.get(`${nginx.url}/x?y=1`, { headers: lies })).json();
  assert.equal(seen.url, '/x?y=1');
  assert.deepEqual(received(seen, 'remote-user'), ['ada']);
  assert.deepEqual(received(seen, 'remote-groups'), ['staff']);
  for (const name of ['remote-name', 'remote-email']) assert.deepEqual(received(seen, name), []);
  assert.equal((await person.post(`${nginx.url}/x`, { body: 'abc' })).json().body, 'abc');

  await nginx.stop();
  app.stop();
  await server.stop();
});
