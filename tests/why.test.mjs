// SPDX-License-Identifier: ISC
// stayctl why on a whole stayd: it says that all is well, names what is not, and answers while core, the store or
// stayd-watch itself is held still. And what became of one session.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { CHEAP, clientOf, login, PASSWORD, signedIn } from './lib/accounts.mjs';
import { atEnd, until } from './lib/process.mjs';
import { startStayd } from './lib/stayd.mjs';

let server;

before(async () => {
  server = await startStayd({ config: { ...CHEAP, fronts: 2, registration: 'open' } });
  atEnd(() => server.stop({ crashes: true }));
  for (const name of ['ada', 'bob', 'eve']) await server.addUser(name, PASSWORD);
});

const why = () => server.ctlJson('why');
const causes = (verdict) => verdict.causes.map(({ cause }) => cause);
const well = () => until(async () => (await why()).state === 'healthy', { timeout: 30_000, what: 'all well again' });

/** What `why` says while `name` is held still, once it names `cause`; how long its slowest answer took. */
async function heldStill(name, cause) {
  const [pid] = server.kill(name, 'SIGSTOP', 0);
  let slowest = 0;
  try {
    const verdict = await until(async () => {
      const began = Date.now();
      const now = await why();
      slowest = Math.max(slowest, Date.now() - began);
      return now.state !== 'healthy' && causes(now).includes(cause) && now;
    }, { timeout: 10_000, what: `${cause} named` });
    return { verdict, slowest };
  } finally {
    try { process.kill(pid, 'SIGCONT'); } catch { /* ended by the supervisor */ }
  }
}

test('when nothing is wrong it says so, with the figures that show it', async () => {
  await signedIn(server, 'ada');
  const verdict = await until(async () => {
    const now = await why();
    return now.state === 'healthy' && now;
  }, { timeout: 30_000, what: 'a healthy verdict' });
  assert.deepEqual(verdict.causes, []);
  assert.equal(verdict.incident, null);
  assert.ok(verdict.evidence.length > 0);
  const { code, stdout } = await server.ctl('why');
  assert.equal(code, 0);
  assert.match(stdout, /^HEALTHY {2}/);
  assert.ok(!stdout.includes('\u001b'), 'no colours where there is no terminal');
  assert.ok(stdout.split('\n').every((line) => [...line].length <= 80), stdout);
});

test('it answers, and names it, while core is held still', async () => {
  const { verdict, slowest } = await heldStill('stayd-core', 'process_hung');
  assert.match(JSON.stringify(verdict), /core/);
  assert.ok(slowest < 2000, `${slowest} ms`);
  assert.equal(verdict.state === 'healthy', false);
  assert.ok(verdict.ruled_out.length > 5);
  await server.ready();
  await well();
});

test('it answers, and names it, while the store is held still', async () => {
  const { verdict, slowest } = await heldStill('stayd-store', 'process_hung');
  assert.match(JSON.stringify(verdict), /store/);
  assert.ok(slowest < 2000, `${slowest} ms`);
  await server.ready();
  await well();
});

test('a process that keeps being killed is named, with its records', async () => {
  for (let i = 0; i < 3; i += 1) {
    const pids = server.kill('stayd-front', 'SIGKILL', 0);
    await until(() => !server.children()['stayd-front']?.includes(pids[0]), { what: 'it is gone' });
    await until(() => (server.children()['stayd-front'] ?? []).length === 2, { what: 'two fronts again' });
  }
  const verdict = await until(async () => {
    const now = await why();
    return now.state !== 'healthy' && causes(now)[0] === 'process_crashing' && now;
  }, { timeout: 10_000, what: 'crashing named' });
  assert.match(verdict.sentence, /stayd-front/);
  assert.ok(verdict.incident, 'an incident is open');
  const { stdout } = await server.ctl('why');
  for (const part of ['Cause: ', 'Evidence', 'What to do now', 'Ruled out', `stayctl incident show ${verdict.incident}`]) {
    assert.ok(stdout.includes(part), `${part} in\n${stdout}`);
  }
  await well();
});

test('passwords being guessed are told from a spike of users', async () => {
  const clients = Array.from({ length: 24 }, (_, i) => clientOf(server, { address: `127.0.7.${i + 1}` }));
  let go = true;
  const guess = async (client, n) => {
    for (let i = 0; go; i += 1) {
      await login(server, `nobody-${n}-${i % 40}`, `guess ${i}`, { client }).catch(() => {});
    }
  };
  const all = clients.map(guess);
  try {
    await until(async () => ['credential_stuffing', 'flood'].includes(causes(await why())[0]),
      { timeout: 30_000, what: 'guessing named' });
  } finally {
    go = false;
    await Promise.all(all);
  }
});

test('while stayd-watch is away, it says what can be seen from outside', async () => {
  const [pid] = server.kill('stayd-watch', 'SIGSTOP', 0);
  const { code, stdout, stderr } = await server.ctl('why');
  try { process.kill(pid, 'SIGCONT'); } catch { /* ended by the supervisor */ }
  assert.equal(code, 3);
  assert.match(stderr, /stayd-watch does not answer/);
  assert.match(stdout, /stayd-watch \(pid \d+\) is stopped \(SIGSTOP, or a debugger\) and does not answer\./);
  assert.match(stdout, /core answers/);
  assert.match(stdout, /stayd-front +\d+ +runs/);
  await until(async () => (await server.ctl('why')).code === 0, { timeout: 20_000, what: 'stayd-watch again' });
});

test('the life of a session', async (t) => {
  // What is written down of it waits a moment in core, to be written with others.
  const life = async (id) => {
    let told;
    await until(async () => {
      told = await server.ctlJson('why', 'session', id);
      return told.made_by !== null && (told.state === 'live' || told.because !== null);
    }, { timeout: 5000, what: 'how it began and ended' }).catch(() => {});
    return told;
  };
  const fresh = async (name) => signedIn(server, name);
  const idOf = (client) => client.said.session.id;

  await t.test('live', async () => {
    const client = await fresh('ada');
    const told = await life(idOf(client));
    assert.equal(told.state, 'live');
    assert.equal(told.user, 'ada');
    assert.match(told.made_by, /^a log-in with the password/);
    assert.equal(told.session.id, idOf(client));
    const { stdout } = await server.ctl('why', 'session', idOf(client));
    assert.match(stdout, /^It is live/);
    assert.match(stdout, /last seen +20\d\d-/);
  });

  await t.test('logged out', async () => {
    const client = await fresh('ada');
    assert.ok([200, 204].includes((await client.post('/api/v1/logout', { json: {} })).status));
    const told = await life(idOf(client));
    assert.equal(told.state, 'ended');
    assert.equal(told.user, 'ada');
    assert.equal(told.because, 'logged out, by the user');
    assert.ok(told.ended_at >= told.created_at);
  });

  await t.test('ended one by one, and all at once', async () => {
    const [one, other] = [await fresh('bob'), await fresh('bob')];
    assert.equal((await server.ctl('session', 'end', idOf(one))).code, 0);
    assert.equal((await life(idOf(one))).because, 'this session was ended, by stayctl');
    assert.equal((await life(idOf(other))).state, 'live');
    assert.equal((await server.ctl('session', 'end', '--user', 'bob', '--all')).code, 0);
    assert.match((await life(idOf(other))).because ?? (await life(idOf(other))).sentence, /all sessions of the account were ended/);
  });

  await t.test('ended by a new password, by another browser, by an administrator', async () => {
    const [kept, other] = [await fresh('eve'), await fresh('eve')];
    const ended = await kept.delete('/api/v1/sessions');
    assert.ok([200, 204].includes(ended.status), ended.text);
    assert.match((await life(idOf(other))).sentence, /all other sessions|all sessions/);
    assert.equal((await life(idOf(kept))).state, 'live');
    const change = await kept.post('/api/v1/password', { json: { current: PASSWORD, new: 'a wholly different 42 phrase' } });
    assert.equal(change.status, 200, change.text);
    assert.match(JSON.stringify(await life(idOf(kept))), /password was changed|ended after it was made/);
    const last = (await signedIn(server, 'eve', 'a wholly different 42 phrase')).said.session.id;
    assert.equal((await server.ctl('user', 'disable', 'eve')).code, 0);
    assert.match(JSON.stringify(await life(last)), /disabled/);
  });

  await t.test('of none', async () => {
    const { code, stdout } = await server.ctl('why', 'session', 'AAAAAAAAAAAAAAAAAAAAAA');
    assert.equal(code, 1);
    assert.match(stdout, /There is no such session/);
    assert.equal((await server.ctl('why', 'session', 'x')).code, 2);
    assert.equal((await server.ctl('why', 'nonsense')).code, 2);
  });
});

test('when stayd does not run', async () => {
  await server.stop({ crashes: true });
  const { code, stdout } = await server.ctl('why');
  assert.equal(code, 3);
  assert.match(stdout, /^stayd is not running\./);
  const told = await server.ctl('why', '--json');
  assert.equal(told.code, 3);
  assert.equal(JSON.parse(told.stdout).state, 'unknown');
});
