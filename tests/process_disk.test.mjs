// SPDX-License-Identifier: ISC
// A full disk: changes are refused with 503 and a clear line, sessions are checked as before, nothing that was
// acknowledged is lost, and when space returns everything goes on by itself.
import assert from 'node:assert/strict';
import { appendFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Client } from './lib/http.mjs';
import { atEnd, run, temporaryFolder, until } from './lib/process.mjs';
import { prepareStayd } from './lib/stayd.mjs';

const PASSWORD = 'seven quiet harbours';
const CHUNK = Buffer.alloc(64 * 1024, 0x5a);

/** A file system of a few megabytes; null where it can't be had. */
async function smallDisk() {
  const folder = temporaryFolder('disk');
  if (process.getuid() !== 0) return null;
  const { code } = await run('mount', ['-t', 'tmpfs', '-o', 'size=4m,mode=755', 'stayd-story', folder]);
  if (code !== 0) return null;
  atEnd(() => run('umount', ['-l', folder]));
  return folder;
}

/** Fills it to the last block. */
function fill(folder) {
  const file = join(folder, 'filler');
  writeFileSync(file, '');
  for (const size of [CHUNK.length, 4096, 512, 1]) {
    for (;;) {
      try {
        appendFileSync(file, CHUNK.subarray(0, size));
      } catch (error) {
        assert.equal(error.code, 'ENOSPC');
        break;
      }
    }
  }
  assert.equal(statfsSync(folder).bavail, 0);
  return file;
}

test('a full disk', async (t) => {
  const disk = await smallDisk();
  if (!disk) return t.skip('no file system of its own can be mounted here');
  const server = await prepareStayd({ config: { data_dir: join(disk, 'data'), fronts: 1, registration: 'open' } });
  await server.start();
  await server.addUser('alice', PASSWORD);
  const login = async () => {
    const client = new Client(server.url);
    return { client, answer: await client.post('/api/v1/login', { json: { username: 'alice', password: PASSWORD } }) };
  };
  const acknowledged = [];
  const ended = [];
  const keep = ({ client, answer }) => {
    if (answer.status === 200) acknowledged.push(client);
    return answer.status;
  };
  for (let i = 0; i < 3; i++) assert.equal(keep(await login()), 200);
  let filler = fill(disk);
  let unsaid = false; // an end that was not acknowledged, and must be written down when it can
  const endsPending = async () => {
    const { text } = await new Client(server.opsUrl).get('/metrics');
    return Number(/^stayd_ends_pending\S* (\d+)$/m.exec(text)[1]);
  };

  await t.test('changes are refused with 503 and Retry-After, in the end all of them', async () => {
    // What fits into pages that are there already may still be written.
    const refused = await until(async () => {
      const one = await login();
      return keep(one) === 503 && one.answer;
    }, { timeout: 60_000, every: 0, what: 'a refusal' });
    assert.ok(Number(refused.headers['retry-after']) > 0);
    assert.match(refused.headers['content-type'], /^application\/problem\+json/);
    assert.doesNotMatch(refused.text, /sqlite|ENOSPC|stayd\.db/i);
    const register = await new Client(server.url).post('/api/v1/register', {
      json: { username: 'bob', email: 'bob@example.org', password: PASSWORD },
    });
    assert.equal(register.status, 503);
  });

  await t.test('the log says it once, in plain words', async () => {
    const told = await server.logged({ event: 'disk_full' }, { timeout: 20_000 });
    assert.match(told.message, /no space left.*free some space/);
    for (let i = 0; i < 5; i++) keep(await login());
    assert.ok(server.log.filter(({ event }) => event === 'disk_full').length <= 3);
  });

  await t.test('sessions are checked as before', async () => {
    for (const client of acknowledged) assert.equal((await client.get('/auth/check')).status, 200);
    assert.equal((await new Client(server.url).get('/readyz')).status, 200);
  });

  await t.test('an end holds at once, though it can\'t be written down yet', async () => {
    const client = acknowledged.pop();
    const copy = new Client(server.url); // keeps the cookie that a logout takes away
    copy.jar.set(server.url, 'stayd', client.jar.get('stayd').value);
    assert.equal((await copy.get('/auth/check')).status, 200);
    const out = await client.post('/api/v1/logout', { timeout: 60_000 });
    assert.ok([200, 204, 503].includes(out.status), `${out.status}`);
    unsaid = out.status === 503;
    if (unsaid) await until(async () => (await endsPending()) === 1, { timeout: 20_000, what: 'an end that waits' });
    assert.equal((await copy.get('/auth/check')).status, 401);
    ended.push(copy);
  });

  await t.test('stayctl says it too', async () => {
    const { code, stderr } = await server.ctl('user', 'add', 'carol', '--no-password');
    assert.equal(code, 3, stderr);
  });

  await t.test('space returns: everything goes on without a restart', async () => {
    const pids = server.children();
    rmSync(filler);
    await until(async () => keep(await login()) === 200, { timeout: 60_000, what: 'a login' });
    await server.logged({ event: 'disk_has_space' }, { timeout: 20_000 });
    if (unsaid) await until(async () => (await endsPending()) === 0, { timeout: 20_000, what: 'the end written down' });
    const bob = await until(async () => {
      const answer = await new Client(server.url).post('/api/v1/register', {
        json: { username: 'bob', email: 'bob@example.org', password: PASSWORD },
      });
      return answer.status !== 503 && answer;
    }, { timeout: 60_000 });
    assert.ok(bob.status < 300, bob.text);
    assert.deepEqual(server.children(), pids);
  });

  await t.test('killed on a full disk and started again when it is not: nothing acknowledged is lost', async () => {
    filler = fill(disk);
    for (let i = 0; i < 10; i++) keep(await login());
    for (const pid of [server.pid, ...Object.values(server.children()).flat()]) process.kill(pid, 'SIGKILL');
    await server.stop({ signal: 'SIGKILL' });
    rmSync(filler);
    await server.start();
    for (const client of acknowledged) {
      await until(async () => (await client.get('/auth/check')).status === 200, { timeout: 20_000, what: 'a session' });
    }
    for (const client of ended) {
      await until(async () => (await client.get('/auth/check')).status === 401, { timeout: 20_000, what: 'an end' });
    }
  });

  await t.test('a start on a full disk ends with a clear line, or serves', async () => {
    await server.stop();
    filler = fill(disk);
    server.spawn();
    await until(async () => server.program.exit
      || (await new Client(server.url).get('/readyz').catch(() => ({}))).status === 200, { timeout: 60_000 });
    if (server.program.exit) {
      assert.equal(server.program.exit.code, 1);
      assert.match(server.program.output, /No space left|full/);
    } else {
      for (const client of acknowledged) {
        await until(async () => (await client.get('/auth/check')).status === 200, { timeout: 20_000, what: 'a session' });
      }
    }
    await server.stop();
    rmSync(filler);
    await server.start();
    for (const client of acknowledged) {
      await until(async () => (await client.get('/auth/check')).status === 200, { timeout: 20_000, what: 'a session' });
    }
  });
  await server.stop();
  return undefined;
});
