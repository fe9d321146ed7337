// SPDX-License-Identifier: ISC
// Every page in Chromium, as those meet it who see little, use the keyboard only, or hold a small phone;
// and as a strict policy for content wants it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startBrowser } from './lib/browser.mjs';
import { inspect, tabs } from './lib/inspect.mjs';
import { person, PASSWORD, QUICK } from './lib/person.mjs';
import { startStayd } from './lib/stayd.mjs';

let server;
let browser;
let ada;
let visitor;
let setupLink;

before(async () => {
  server = await startStayd({ config: { registration: 'open', ...QUICK } });
  setupLink = server.setupLink();
  browser = await startBrowser();
  visitor = await person(browser, server.url);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function fine(who, status, address) {
  if (address !== undefined) assert.equal(await who.open(address), status, address);
  assert.deepEqual(await inspect(who.page), [], `${who.path()} ${await who.page.title()}`);
}

test('set-up, as it comes and refused', async () => {
  await fine(visitor, 200, '/login');
  await fine(visitor, 403, '/setup');
  await fine(visitor, 200, setupLink);
  await visitor.fill({ 'User name': 'ada', 'E-mail': 'ada@example.org', Password: 'password1' });
  assert.equal(await visitor.press('Create administrator'), 400);
  await fine(visitor);
});

test('log-in and registration, as they come and refused', async () => {
  await server.addUser('ada', PASSWORD, { groups: ['admins', 'staff'] });
  await server.addUser('katherine.johnson-and-a-very-long-name-that-goes-on', PASSWORD,
    { email: 'katherine.johnson.with.a.very.long.address.of.hers@langley-research-center.example.org', groups: ['a-group-with-a-very-long-name-that-goes-on-and-on', 'staff'] });
  await fine(visitor, 200, '/login');
  await visitor.fill({ 'User name': 'ada', Password: 'wrong horse battery' });
  assert.equal(await visitor.press('Log in'), 401);
  await fine(visitor);
  await fine(visitor, 200, '/register');
  await visitor.fill({ 'User name': 'ada', 'E-mail': 'ada@example.org', Password: PASSWORD });
  assert.equal(await visitor.press('Create account'), 409);
  await fine(visitor);
});

test('account, as it comes and refused', async () => {
  ada = await person(browser, server.url);
  await visitor.logIn('ada');
  await ada.logIn('ada');
  await fine(ada, 200, '/account');
  await ada.fill({ 'Current password': 'wrong horse battery', 'New password': 'meadow 7 quartz lantern' });
  assert.equal(await ada.press('Change password'), 401);
  await fine(ada);
});

test('administration: the list, nothing found, refused, one account, an invitation', async () => {
  await fine(ada, 200, '/admin');
  await fine(ada, 200, '/admin?q=nobody-at-all');
  await fine(ada, 200, '/admin?user=katherine.johnson-and-a-very-long-name-that-goes-on');
  await fine(ada, 200, '/admin?user=ada');
  await ada.open('/admin');
  assert.equal(await ada.press('Make an invitation'), 200);
  await fine(ada);
  await ada.open('/admin');
  await ada.fill({ 'User name': 'ada', 'E-mail': 'ada@example.org', 'First password': PASSWORD }, ada.section('Add an account'));
  assert.equal(await ada.press('Add account'), 409);
  await fine(ada);
});

test('errors say what happened, and lead back', async () => {
  for (const [address, status] of [['/nowhere', 404], ['/setup?token=wrong', 403], ['/admin?user=nobody', 404]]) {
    await fine(ada, status, address);
    assert.ok(await ada.page.getByRole('link').count() > 0, `${address}: a way back`);
  }
});

test('the policy for content allows no code, and nothing from elsewhere', async () => {
  const answer = await ada.page.goto('/account');
  const policy = (await answer.allHeaders())['content-security-policy'];
  assert.match(policy, /default-src 'none'/);
  assert.match(policy, /frame-ancestors 'none'/);
  assert.doesNotMatch(policy, /unsafe|script-src| \*/);
});

test('by keyboard alone: log in, find an account, end a session, log out', async () => {
  const keys = await person(browser, server.url);
  await keys.open('/login'); // the focus is where one types
  assert.equal(await keys.focus(), 'User name');
  await keys.page.keyboard.type('ada');
  await keys.page.keyboard.press('Tab');
  await keys.page.keyboard.type(PASSWORD);
  assert.equal(await keys.turn(() => keys.page.keyboard.press('Enter')), 200);
  assert.equal(keys.path(), '/account');
  const order = await tabs(keys.page);
  assert.deepEqual(order.filter(({ seen }) => !seen), [], 'the focus is seen');
  assert.deepEqual(order.map(({ name }) => name.replace(/^End session.*/, 'End session')).slice(0, 6),
    ['stayd, your account', 'Account', 'Administration', 'Log out ada', 'End all others', 'Log out']);
  assert.deepEqual(order.slice(-3).map(({ name }) => name), ['Current password', 'New password', 'Change password']);
  assert.deepEqual(order.map(({ place }) => place), order.map(({ place }) => place).sort((a, b) => a - b));

  const to = async (name) => {
    for (let i = 0; i < 30 && !(await keys.focus()).startsWith(name); i += 1) await keys.page.keyboard.press('Tab');
    assert.ok((await keys.focus()).startsWith(name), `${name}: ${await keys.focus()}`);
  };
  await keys.open('/account');
  await keys.page.keyboard.press('Tab');
  await to('End all others');
  await keys.turn(() => keys.page.keyboard.press('Enter'));
  assert.equal(await keys.notice(), 'Your other sessions have ended.');
  await keys.open('/admin');
  await keys.page.keyboard.press('Tab');
  await to('Find an account');
  await keys.page.keyboard.type('kath');
  await keys.turn(() => keys.page.keyboard.press('Enter'));
  assert.equal(await keys.page.getByRole('rowheader').count(), 1);
  await keys.page.keyboard.press('Tab');
  await to('Log out');
  await keys.turn(() => keys.page.keyboard.press('Space'));
  assert.equal(await keys.notice(), 'You are logged out.');
  assert.deepEqual(keys.complaints, []);
});

test('while core is stopped a page says that it can’t be told who one is, and when to try again', async () => {
  const guest = await person(browser, server.url);
  await guest.context.addCookies([{ name: 'stayd', url: server.url, value: Buffer.alloc(32, 7).toString('base64url') }]);
  process.kill(server.pid, 'SIGSTOP'); // or it would start another core
  const pids = server.kill('stayd-core', 'SIGSTOP');
  try {
    await fine(guest, 503, '/account');
    assert.match(await guest.page.getByRole('main').innerText(), /Try again in \d+\ss/);
  } finally {
    for (const pid of [...pids, server.pid]) process.kill(pid, 'SIGCONT');
  }
  await server.ready();
  await guest.open('/account');
  assert.equal(guest.path(), '/login');
  await guest.close();
});

test('the browser had nothing to complain about', () => {
  assert.deepEqual([...visitor.complaints, ...ada.complaints], []);
});
