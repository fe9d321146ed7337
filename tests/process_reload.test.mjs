// SPDX-License-Identifier: ISC
// SIGHUP, SIGTERM and systemd's notifications: nothing that is connected is dropped, what is broken is refused
// and said, what is in flight is finished.
import assert from 'node:assert/strict';
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Client, Connection, raw } from './lib/http.mjs';
import { freePort, Program, temporaryFolder, until } from './lib/process.mjs';
import { prepareStayd, startStayd } from './lib/stayd.mjs';

const PASSWORD = 'seven quiet harbours';
const TIMEOUT = 20_000;
const GET = 'GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n';

const count = (server, event) => server.log.filter((entry) => entry.event === event).length;

/** Sends SIGHUP and waits for what is said about it. */
async function reload(server, config, rules, event = 'reloaded') {
  const before = count(server, event);
  server.reload(config, rules);
  await until(() => count(server, event) > before, { timeout: TIMEOUT, what: event });
}

test('SIGHUP: a new configuration without dropping a connection', async (t) => {
  const server = await startStayd({ config: { fronts: 2, registration: 'closed' } });
  await server.addUser('alice', PASSWORD);
  const alice = new Client(server.url);
  assert.equal((await alice.post('/api/v1/login', { json: { username: 'alice', password: PASSWORD } })).status, 200);
  const held = await Promise.all([0, 1, 2, 3, 4, 5].map(() => Connection.open(server.port)));
  const before = server.children();
  let asked = 0;
  const allAnswer = async () => {
    asked += 1;
    for (const connection of held) {
      connection.send(GET);
      assert.equal((await connection.responses(asked, { timeout: TIMEOUT })).length, asked);
      assert.equal(connection.closed, false);
    }
  };
  const register = async (username) => (await new Client(server.url).post('/api/v1/register', {
    json: { username, email: `${username}@example.org`, password: PASSWORD },
  })).status;
  await allAnswer();

  await t.test('registration is opened, and closed', async () => {
    assert.equal(await register('bob'), 403);
    await reload(server, { registration: 'open' });
    await until(async () => (await register('bob')) < 300, { timeout: TIMEOUT, what: 'open' });
    await reload(server, { registration: 'closed' });
    await until(async () => (await register('carol')) === 403, { timeout: TIMEOUT, what: 'closed' });
    await allAnswer();
  });

  await t.test('a request that is half there is answered after it', async () => {
    const half = await Connection.open(server.port);
    half.send(GET.slice(0, 20));
    await reload(server);
    half.send(GET.slice(20));
    assert.equal((await half.responses(1, { timeout: TIMEOUT }))[0].status, 200);
    half.close();
  });

  await t.test('rules come, and go', async () => {
    const check = async () => (await alice.get('/auth/check', { headers: { 'x-forwarded-host': 'app.example', 'x-forwarded-uri': '/', 'x-forwarded-proto': 'https', 'x-forwarded-method': 'GET' } })).status;
    assert.equal(await check(), 200);
    await reload(server, { trusted_proxies: '127.0.0.1' }, [{ host: 'app.example', group: 'staff', allow: true }]);
    await until(async () => (await check()) === 403, { timeout: TIMEOUT, what: 'the rule' });
    await reload(server, { trusted_proxies: null }, []);
    await until(async () => (await check()) === 200, { timeout: TIMEOUT, what: 'no rule' });
    await allAnswer();
  });

  await t.test('signals that come while it is looked through do not spoil it', async () => {
    const done = count(server, 'reloaded');
    for (let i = 0; i < 40; i += 1) {
      server.reload();
      await new Promise((resolve) => { setTimeout(resolve, 5); });
    }
    await until(() => count(server, 'reloaded') > done, { timeout: TIMEOUT, what: 'reloaded' });
    await reload(server);
    assert.equal(count(server, 'reload_failed'), 0);
  });

  await t.test('who looks it through is killed by somebody, and another one does it', async () => {
    const kill = (pid) => {
      try {
        return process.kill(pid, 'SIGKILL') ? 1 : 0;
      } catch {
        return 0; // it was quicker
      }
    };
    let killed = 0;
    for (let i = 0; i < 50 && killed === 0; i += 1) {
      const done = count(server, 'reloaded');
      server.reload();
      for (const end = Date.now() + 100; killed === 0 && Date.now() < end;) {
        const judge = server.children()['stayd-front']?.find((pid) => !before['stayd-front'].includes(pid));
        if (judge) killed += kill(judge);
      }
      await until(() => count(server, 'reloaded') > done, { timeout: TIMEOUT, what: 'reloaded' });
    }
    assert.equal(killed, 1);
    assert.equal(count(server, 'reload_failed'), 0);
  });

  await t.test('a listener is added, and taken away', async () => {
    const more = await freePort();
    const socket = join(server.folder, 'more.sock');
    await reload(server, { listen: [server.config.listen, `127.0.0.1:${more}`, `unix:${socket}`] });
    const answers = async (to) => (await raw(to, GET, { count: 1, timeout: TIMEOUT })).responses[0]?.status;
    await until(async () => (await answers(more)) === 200 && (await answers({ path: socket })) === 200, { timeout: TIMEOUT });
    const there = await Connection.open(more);
    there.send(GET);
    await there.responses(1, { timeout: TIMEOUT });
    await reload(server, { listen: server.config.listen[0] });
    await until(() => answers(more).then(() => false, ({ code }) => code === 'ECONNREFUSED'), { timeout: TIMEOUT, what: 'closed' });
    await assert.rejects(answers({ path: socket }));
    there.send(GET); // who is connected stays so
    assert.equal((await there.responses(2, { timeout: TIMEOUT })).length, 2);
    there.close();
    await allAnswer();
  });

  await t.test('a broken configuration is refused with its line, and the old one stays', async () => {
    const fine = readFileSync(server.configFile, 'utf8');
    appendFileSync(server.configFile, 'registation = open\n');
    await reload(server, undefined, undefined, 'reload_failed');
    const line = fine.trimEnd().split('\n').length + 1;
    assert.ok(server.log.some((entry) => entry.event === 'config_problem'
      && entry.message.includes(`stayd.conf:${line}:`) && /registation.*registration/.test(entry.message)));
    assert.equal(await register('dave'), 403);
    await allAnswer();
    server.reconfigure({});
  });

  await t.test('a listener that can\'t be had refuses the whole, too', async () => {
    await reload(server, { listen: [server.config.listen, `127.0.0.1:${server.opsPort}`], registration: 'open' }, undefined, 'reload_failed');
    assert.equal(await register('erin'), 403);
    server.reconfigure({ listen: server.config.listen[0], registration: 'closed' });
  });

  await t.test('keys that need a new start are named', async () => {
    await reload(server, { fronts: 1 });
    assert.ok(server.log.some(({ event, message }) => event === 'config_later' && message.startsWith('fronts ')));
    assert.equal(server.children()['stayd-front'].length, 2);
  });

  await t.test('a burst of SIGHUPs', async () => {
    for (let i = 0; i < 20; i++) server.reload();
    await reload(server);
    await allAnswer();
  });

  // Nobody died for it; who looks through the last one of the burst may still be there.
  await until(() => server.children()['stayd-front'].length === 2, { timeout: TIMEOUT, what: 'only the fronts' });
  assert.deepEqual(server.children(), before);
  assert.equal((await alice.get('/auth/check')).status, 200);
  for (const connection of held) connection.close();
  await server.stop();
});

test('SIGTERM: what is in flight is finished, nothing new is taken, the exit status is 0', async () => {
  // Hashing with a lot of memory makes logins slow enough to be in flight.
  const server = await startStayd({ config: { fronts: 2, hash_workers: 1, password_time: 8 } });
  await server.addUser('alice', PASSWORD);
  const body = JSON.stringify({ username: 'alice', password: PASSWORD });
  const login = `POST /api/v1/login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const idle = await Connection.open(server.port);
  idle.send(GET);
  await idle.responses(1, { timeout: TIMEOUT });
  const busy = await Promise.all([0, 1, 2, 3].map(() => Connection.open(server.port)));
  for (const connection of busy) connection.send(GET);
  for (const connection of busy) await connection.responses(1, { timeout: TIMEOUT });
  for (const connection of busy) connection.send(login);
  const end = server.stop({ timeout: 30_000 });
  const answers = await Promise.all(busy.map((connection) => connection.responses(2, { timeout: 30_000 })));
  for (const [, answer] of answers) assert.equal(answer?.status, 200);
  for (const connection of busy) assert.ok(await connection.wait(({ closed }) => closed, TIMEOUT));
  assert.ok(await idle.wait(({ closed }) => closed, TIMEOUT));
  await assert.rejects(raw(server.port, GET, { count: 1 }));
  const { code, killed } = await end;
  assert.equal(killed, false);
  assert.equal(code, 0);
  assert.equal(server.log.filter(({ event }) => event === 'process_died').length, 0);
  assert.ok(server.log.some(({ event }) => event === 'stopped'));
  for (const connection of [idle, ...busy]) connection.close();
});

test('SIGTERM: what has begun to arrive is answered; /readyz says that it is no place to send more', async () => {
  const server = await startStayd({ config: { fronts: 1, header_timeout: '60s', drain_timeout: '60s' } });
  const [idle, half, ready] = await Promise.all([0, 1, 2].map(() => Connection.open(server.port)));
  idle.send(GET);
  await idle.responses(1, { timeout: TIMEOUT });
  const READY = GET.replace('livez', 'readyz');
  half.send(GET.slice(0, 30));
  ready.send(READY.slice(0, 30));
  await raw(server.port, GET, { count: 1, timeout: TIMEOUT }); // the front has read all of it
  const end = server.stop({ timeout: 30_000 });
  assert.ok(await idle.wait(({ closed }) => closed, TIMEOUT));
  half.send(GET.slice(30));
  ready.send(READY.slice(30));
  const [[answer], [not]] = [await half.responses(1, { timeout: TIMEOUT }), await ready.responses(1, { timeout: TIMEOUT })];
  assert.equal(answer?.status, 200);
  assert.equal(answer.headers.connection, 'close');
  assert.equal(not?.status, 503);
  const { code, killed } = await end;
  assert.equal(killed, false);
  assert.equal(code, 0);
  for (const connection of [idle, half, ready]) connection.close();
});

test('SIGTERM: a client that never finishes is not waited for longer than configured', async () => {
  const server = await startStayd({ config: { fronts: 1, drain_timeout: '1s' } });
  const slow = await Connection.open(server.port);
  slow.send(`POST /api/v1/login HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{`);
  await raw(server.port, GET, { count: 1, timeout: TIMEOUT });
  const { code, killed } = await server.stop({ timeout: 30_000 });
  assert.equal(killed, false);
  assert.equal(code, 0);
  slow.close();
});

test('SIGINT ends it like SIGTERM; a second time it is quick', async () => {
  const server = await startStayd({ config: { fronts: 1, drain_timeout: '60s' } });
  const slow = await Connection.open(server.port);
  slow.send(`POST /api/v1/login HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{`);
  await raw(server.port, GET, { count: 1, timeout: TIMEOUT });
  process.kill(server.pid, 'SIGINT');
  await server.logged({ event: 'draining' }, { timeout: TIMEOUT });
  const { code, killed } = await server.stop({ signal: 'SIGINT', timeout: 30_000 });
  assert.equal(killed, false);
  assert.equal(code, 0);
  slow.close();
});

// node has no datagram sockets of the Unix kind.
const LISTENER = `import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
import os; os.chmod(sys.argv[1], 0o666)
print("bound", flush=True)
while True: print(repr(s.recv(4096).decode()), flush=True)`;

test('systemd is told: READY, WATCHDOG, RELOADING and READY again, STOPPING', async () => {
  const path = join(temporaryFolder('notify'), 'notify.sock');
  const listener = new Program('python3', ['-c', LISTENER, path]);
  await until(() => listener.output.includes('bound'));
  const server = await prepareStayd({ config: { fronts: 1 }, env: { NOTIFY_SOCKET: path, WATCHDOG_USEC: '400000' } });
  await server.start();
  const told = (pattern, many = 1) => until(() => (listener.output.match(pattern) ?? []).length >= many, { timeout: TIMEOUT, what: `${pattern}` });
  await told(/READY=1/g);
  await told(/WATCHDOG=1/g, 3);
  const ready = listener.output.match(/READY=1/g).length;
  await reload(server);
  await told(/RELOADING=1\\nMONOTONIC_USEC=\d+/g);
  await told(/READY=1/g, ready + 1);
  await server.stop();
  await told(/STOPPING=1/g);
  assert.match(listener.output, /^bound\n(?:'WATCHDOG=1'\n)*'READY=1/);
  await listener.stop();
});
