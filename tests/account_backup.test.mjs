// SPDX-License-Identifier: ISC
// A copy made while a whole stayd serves and changes, brought into a fresh folder: accounts log in, sessions are there.
import assert from 'node:assert/strict';
import { copyFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CHEAP, check, checkToken, clientOf, login, PASSWORD, signedIn, tokenOf } from './lib/accounts.mjs';
import { atEnd, until } from './lib/process.mjs';
import { prepareStayd, startStayd } from './lib/stayd.mjs';

test('backup while writes go on, restore into a fresh folder', async (t) => {
  const server = await startStayd({ config: { registration: 'open', ...CHEAP } });
  atEnd(() => server.stop());
  await server.addUser('ada', PASSWORD, { groups: ['admins', 'staff'] });
  const early = await signedIn(server);
  const ended = await signedIn(server);
  assert.equal((await ended.post('/api/v1/logout')).status, 204);

  const file = join(server.folder, 'copy.db');
  let running = true;
  const [granted, made] = [[], []];
  async function writer(n) {
    for (let i = 0; running; i += 1) {
      const username = `w${n}x${i}`;
      const answer = await clientOf(server).post('/api/v1/register', {
        json: { username, email: `${username}@example.net`, password: PASSWORD } });
      assert.equal(answer.status, 201, answer.text);
      made.push(username);
      const one = await signedIn(server);
      granted.push(tokenOf(one));
    }
  }
  const writers = [0, 1, 2].map(writer);
  await until(() => made.length >= 9, { timeout: 30_000, what: 'some writes' });
  const beforeCopy = { made: [...made], granted: [...granted] };
  for (let i = 0; i < 3; i += 1) { // over an older copy too
    const done = await server.ctl('backup', file);
    assert.equal(done.code, 0, done.stderr);
  }
  const afterCopy = made.length;
  running = false;
  await Promise.all(writers);
  assert.equal(statSync(file).mode & 0o777, 0o600);

  const fresh = await prepareStayd({ config: CHEAP });
  atEnd(() => fresh.stop());

  await t.test('what is no backup is refused, and nothing is put in place', async () => {
    const wrong = join(fresh.folder, 'wrong.db');
    writeFileSync(wrong, 'not a database at all, and longer than its header would be'.repeat(10));
    for (const name of [wrong, join(fresh.folder, 'missing.db')]) {
      const done = await fresh.ctl('restore', name, '--yes');
      assert.equal(done.code, 1, `${done.stdout}${done.stderr}`);
      assert.ok(done.stderr.length > 10);
    }
    const torn = join(fresh.folder, 'torn.db');
    copyFileSync(file, torn);
    truncateSync(torn, 4096 * 3);
    assert.equal((await fresh.ctl('restore', torn, '--yes')).code, 1);
  });

  await t.test('accounts log in, sessions of the copy are there, what was ended is not', async () => {
    const done = await fresh.ctl('restore', file, '--yes');
    assert.equal(done.code, 0, `${done.stdout}${done.stderr}`);
    await fresh.start();
    assert.doesNotMatch(fresh.output, /\/setup\?token=/);
    assert.equal((await login(fresh, 'ada')).answer.status, 200);
    for (const username of beforeCopy.made) assert.equal((await login(fresh, username)).answer.status, 200, username);
    for (const token of [tokenOf(early), ...beforeCopy.granted]) assert.equal(await checkToken(fresh, token), 200);
    assert.equal(await check(ended), 401);
    const users = (await fresh.ctlJson('user', 'list')).map(({ name }) => name);
    assert.ok(users.length >= beforeCopy.made.length + 1 && users.length <= afterCopy + 1 + 3, `${users.length}`);
    assert.deepEqual((await fresh.ctlJson('user', 'show', 'ada')).groups, ['admins', 'staff']);
  });

  await t.test('the two go their own ways', async () => {
    assert.equal((await fresh.ctl('session', 'end', '--user', 'ada', '--all')).code, 0);
    assert.equal(await checkToken(fresh, tokenOf(early)), 401);
    assert.equal(await check(early), 200);
  });
  await fresh.stop();
  await server.stop();
});
