// SPDX-License-Identifier: ISC
// stayctl's words that other stories leave out: exit codes, the shapes of --json, and what it says when stayd is not
// there or can't reach its store.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { CHEAP, check, holdStill, PASSWORD, signedIn } from './lib/accounts.mjs';
import { atEnd } from './lib/process.mjs';
import { startStayd } from './lib/stayd.mjs';

let server;

before(async () => {
  server = await startStayd({ config: { registration: 'invite', ...CHEAP } });
  atEnd(() => server.stop());
  await server.addUser('ada', PASSWORD, { groups: ['staff'] });
});

async function exits(code, ...args) {
  const done = await server.ctl(...args);
  assert.equal(done.code, code, `${args.filter((one) => typeof one === 'string').join(' ')}: ${done.stdout}${done.stderr}`);
  if (code !== 0) assert.ok(done.stderr.trim().length > 0, 'an error says something');
  if (code !== 0) assert.equal(done.stdout, '', 'on standard error only');
  return done;
}

test('what is not there is 1, whatever is asked of it', async () => {
  for (const args of [['user', 'show', 'nobody'], ['user', 'set', 'nobody', '--no-groups'], ['user', 'disable', 'nobody'],
    ['user', 'enable', 'nobody'], ['user', 'delete', 'nobody', '--yes'], ['session', 'list', 'nobody'],
    ['session', 'end', '--user', 'nobody', '--all'], ['session', 'end', 'A'.repeat(22)],
    ['user', 'password', 'nobody', '--password-stdin', { input: `${PASSWORD}\n` }]]) {
    await exits(1, ...args);
  }
});

test('what can\'t be meant is 2, before anything is asked', async () => {
  for (const args of [[], ['nonsense'], ['user'], ['user', 'add'], ['user', 'show'], ['user', 'show', 'a', 'b'],
    ['user', 'list', '--limit', 'many'], ['session', 'end'], ['audit', 'list', '--since', 'nonsense'],
    ['backup'], ['restore'], ['user', 'invite', '--days', 'x'], ['user', 'list', '--limit']]) {
    await exits(2, ...args);
  }
});

test('--json: one value, with the same fields each time', async () => {
  const ada = await signedIn(server, 'ada', PASSWORD, { headers: { 'user-agent': 'Desk/2.0' } });
  const [user] = await server.ctlJson('user', 'list');
  assert.deepEqual(Object.keys(user), Object.keys(await server.ctlJson('user', 'show', 'ada')));
  for (const field of ['name', 'display_name', 'email', 'groups', 'disabled', 'has_password', 'created_at']) assert.ok(field in user, field);
  const [session] = await server.ctlJson('session', 'list', 'ada');
  assert.deepEqual([session.id, session.address, session.agent], [ada.said.session.id, '127.0.0.1', 'Desk/2.0']);
  for (const field of Object.keys(session).filter((name) => name.endsWith('_at'))) {
    assert.match(session[field], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, field);
  }
  const [event] = await server.ctlJson('audit', 'list', '--limit', '1');
  for (const field of ['id', 'at', 'event', 'user', 'actor', 'source', 'outcome']) assert.ok(field in event, field);
  const ended = await server.ctl('session', 'end', session.id, '--json');
  assert.equal(ended.code, 0);
  assert.equal(JSON.parse(ended.stdout).ended, session.id);
  assert.equal(await check(ada), 401);
  assert.deepEqual(await server.ctlJson('session', 'list', 'ada'), []);
});

test('a password on standard input is taken as it is, but for the end of the line', async () => {
  await exits(0, 'user', 'password', 'ada', '--password-stdin', { input: '  two ends, both blank  \n' });
  await signedIn(server, 'ada', '  two ends, both blank  ');
  await exits(1, 'user', 'password', 'ada', '--password-stdin', { input: '' });
  await exits(1, 'user', 'password', 'ada', '--password-stdin', { input: 'password\n' });
  await exits(1, 'user', 'password', 'ada', '--password-stdin', { input: Buffer.from([0x61, 0xff, 0xfe, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x0a]) });
  await signedIn(server, 'ada', '  two ends, both blank  ');
  await exits(0, 'user', 'password', 'ada', '--password-stdin', { input: PASSWORD }); // no end of line
  await signedIn(server);
});

test('without the store: 3, and it says so; without stayd too', async () => {
  const goOn = await holdStill(server, 'stayd-store');
  try {
    const done = await server.ctl('user', 'show', 'ada');
    assert.equal(done.code, 3, `${done.stdout}${done.stderr}`);
    assert.ok(done.stderr.length > 0);
  } finally {
    await goOn();
  }
  await exits(0, 'user', 'show', 'ada');
  await server.stop();
  await exits(3, 'user', 'list');
  await exits(3, 'session', 'list', 'ada');
  await exits(3, 'user', 'add', 'late', '--no-password');
});
