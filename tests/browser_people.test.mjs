// SPDX-License-Identifier: ISC
// The first administrator, log-in, registration, one's own account and log-out, in Chromium: with
// JavaScript and without.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startBrowser } from './lib/browser.mjs';
import { person, PASSWORD, QUICK, WEAK_PASSWORD } from './lib/person.mjs';
import { startStayd } from './lib/stayd.mjs';

const NEW_PASSWORD = 'meadow 7 quartz lantern';
const IPHONE = 'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1';

for (const javaScriptEnabled of [true, false]) {
  describe(`with JavaScript ${javaScriptEnabled ? 'on' : 'off'}`, () => {
    let server;
    let browser;
    let ada;
    const someone = (options) => person(browser, server.url, { javaScriptEnabled, ...options });
    const sessions = () => ada.section('Where you are logged in').getByRole('row').count();

    before(async () => {
      server = await startStayd({ config: { registration: 'open', ...QUICK } });
      browser = await startBrowser();
      ada = await someone();
    });
    after(async () => {
      await browser?.close();
      await server?.stop();
    });

    test('the log-in page of a new server says what to do', async () => {
      assert.equal(await ada.open('/login'), 200);
      assert.match(await ada.notice(), /set-up link/);
    });

    test('the link makes the first administrator, once', async () => {
      assert.equal(await ada.open(server.setupLink()), 200);
      assert.equal(await ada.heading(), 'Create the first administrator');
      await ada.fill({ 'User name': 'ada', 'E-mail': 'ada@example.org', Password: WEAK_PASSWORD });
      assert.equal(await ada.press('Create administrator'), 400);
      assert.equal(await ada.page.getByLabel('User name').inputValue(), 'ada');
      assert.equal(await ada.focus(), 'Password');
      await ada.fill({ Password: PASSWORD });
      assert.equal(await ada.press('Create administrator'), 200);
      assert.equal(ada.path(), '/account');
      assert.equal(await ada.heading(), 'ada');
      const other = await someone();
      assert.equal(await other.open(server.setupLink()), 403);
      await other.close();
    });

    test('the cookie is out of reach of scripts and of other sites', async () => {
      const { httpOnly, sameSite, path, value } = await ada.cookie();
      assert.deepEqual({ httpOnly, sameSite, path }, { httpOnly: true, sameSite: 'Lax', path: '/' });
      assert.equal((await ada.page.content()).includes(value), false);
    });

    test('log out, and Back shows nothing of the account', async () => {
      await ada.press('Log out ada');
      assert.equal(ada.path(), '/login');
      assert.equal(await ada.notice(), 'You are logged out.');
      assert.equal(await ada.cookie(), undefined);
      await ada.page.goBack();
      assert.equal(ada.path(), '/login');
      assert.equal(await ada.heading(), 'Log in');
    });

    test('a wrong password is said aloud, its field marked and ready to be typed again', async () => {
      assert.equal(await ada.logIn('ada', 'wrong horse battery'), 401);
      assert.equal(ada.path(), '/login');
      assert.match(await ada.page.title(), /^Error: Log in/);
      assert.match(await ada.alert(), /don't go together/);
      const [field, ...more] = await ada.marked();
      assert.deepEqual([field.label, more.length], ['Password', 0]);
      assert.match(field.says, /don't go together/);
      assert.equal(await ada.focus(), 'Password');
      assert.equal(await ada.page.getByLabel('User name').inputValue(), 'ada');
      assert.equal(await ada.page.getByLabel('Password').inputValue(), '');
      await ada.fill({ Password: PASSWORD });
      assert.equal(await ada.press('Log in'), 200);
      assert.equal(ada.path(), '/account');
    });

    test('someone registers, with a weak password, a taken name and a bad one first', async () => {
      const grace = await someone();
      await grace.open('/login');
      await grace.press('Register');
      assert.equal(await grace.heading(), 'Create your account');
      await grace.fill({ 'User name': 'ada', 'E-mail': 'grace@example.org', Password: PASSWORD });
      assert.equal(await grace.press('Create account'), 409);
      assert.equal(await grace.focus(), 'User name');
      assert.equal(await grace.page.getByLabel('E-mail').inputValue(), 'grace@example.org');
      await grace.fill({ 'User name': 'grace', Password: WEAK_PASSWORD });
      assert.equal(await grace.press('Create account'), 400);
      assert.equal(await grace.focus(), 'Password');
      assert.equal((await grace.marked())[0].label, 'Password');
      await grace.fill({ Password: PASSWORD });
      assert.equal(await grace.press('Create account'), 200);
      assert.equal(grace.path(), '/account');
      assert.equal(await grace.page.getByRole('link', { name: 'Administration' }).count(), 0);
      assert.deepEqual(grace.complaints, []);
      await grace.close();
    });

    test('where one is logged in: each device, and one of them ended', async () => {
      const phone = await someone({ userAgent: IPHONE });
      assert.equal(await phone.logIn('ada'), 200);
      await ada.open('/account');
      const row = ada.page.getByRole('row', { name: /Safari on iPhone/ });
      assert.match(await row.innerText(), /127\.0\.0\.1/);
      assert.equal(await ada.page.getByRole('row', { name: /this device/ }).count(), 1);
      await ada.turn(() => row.getByRole('button').click());
      assert.equal(await ada.notice(), 'The session has ended.');
      assert.equal(await ada.page.getByRole('row', { name: /Safari on iPhone/ }).count(), 0);
      await phone.open('/account');
      assert.equal(phone.path(), '/login');
      await phone.close();
    });

    test('all others ended, this one goes on', async () => {
      const others = [await someone(), await someone()];
      for (const one of others) await one.logIn('ada');
      await ada.open('/account');
      assert.equal(await sessions(), 4); // with the row of headings
      await ada.press('End all others');
      assert.equal(await ada.notice(), 'Your other sessions have ended.');
      assert.equal(await sessions(), 2);
      assert.equal(await ada.page.getByRole('button', { name: 'End all others' }).count(), 0);
      for (const one of others) {
        await one.open('/account');
        assert.equal(one.path(), '/login');
        await one.close();
      }
    });

    test('a new password: a wrong one and a weak one first; then the other sessions are gone', async () => {
      const other = await someone();
      await other.logIn('ada');
      await ada.open('/account');
      await ada.fill({ 'Current password': 'wrong horse battery', 'New password': NEW_PASSWORD });
      assert.equal(await ada.press('Change password'), 401);
      assert.equal(await ada.alert(), 'That is not your current password.');
      assert.equal(await ada.focus(), 'Current password');
      await ada.fill({ 'Current password': PASSWORD, 'New password': WEAK_PASSWORD });
      assert.equal(await ada.press('Change password'), 400);
      assert.equal(await ada.focus(), 'New password');
      assert.equal((await ada.marked())[0].label, 'New password');
      const before = (await ada.cookie()).value;
      await ada.fill({ 'Current password': PASSWORD, 'New password': NEW_PASSWORD });
      assert.equal(await ada.press('Change password'), 200);
      assert.match(await ada.notice(), /Your password is changed/);
      assert.notEqual((await ada.cookie()).value, before);
      await other.open('/account');
      assert.equal(other.path(), '/login');
      assert.equal(await other.logIn('ada', PASSWORD), 401);
      assert.equal(await other.logIn('ada', NEW_PASSWORD), 200);
      await other.close();
    });

    test('after log-in one is where one wanted to be', async () => {
      const other = await someone();
      await other.open('/admin?q=gra');
      assert.equal(other.path(), '/login');
      await other.fill({ 'User name': 'ada', Password: NEW_PASSWORD });
      assert.equal(await other.press('Log in'), 200);
      assert.equal(new URL(other.page.url()).pathname + new URL(other.page.url()).search, '/admin?q=gra');
      await other.open('/login'); // signed in already
      assert.equal(other.path(), '/account');
      await other.close();
    });

    test('the browser had nothing to complain about', () => assert.deepEqual(ada.complaints, []));
  });
}

test('over https the cookie is bound to its host', async () => {
  const server = await startStayd({ config: { ...QUICK }, tls: true });
  const browser = await startBrowser();
  await server.addUser('ada', PASSWORD);
  const ada = await person(browser, server.url, { ignoreHTTPSErrors: true });
  assert.equal(await ada.logIn('ada'), 200);
  const { secure, httpOnly, domain } = await ada.cookie('__Host-stayd');
  assert.deepEqual({ secure, httpOnly, domain }, { secure: true, httpOnly: true, domain: '127.0.0.1' });
  assert.equal(await ada.press('Log out ada'), 200);
  assert.equal(await ada.cookie('__Host-stayd'), undefined);
  assert.deepEqual(ada.complaints, []);
  await browser.close();
  await server.stop();
});
