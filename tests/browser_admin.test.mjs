// SPDX-License-Identifier: ISC
// The pages of administrators in Chromium, with JavaScript and without: accounts found, added, invited,
// changed, disabled; sessions ended. Others don't get in.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startBrowser } from './lib/browser.mjs';
import { person, PASSWORD, QUICK, WEAK_PASSWORD } from './lib/person.mjs';
import { startStayd } from './lib/stayd.mjs';

for (const javaScriptEnabled of [true, false]) {
  describe(`with JavaScript ${javaScriptEnabled ? 'on' : 'off'}`, () => {
    let server;
    let browser;
    let ada;
    const someone = () => person(browser, server.url, { javaScriptEnabled });
    const accounts = () => ada.page.getByRole('rowheader').allInnerTexts();

    before(async () => {
      server = await startStayd({ config: { registration: 'invite', ...QUICK } });
      browser = await startBrowser();
      await server.addUser('ada', PASSWORD, { groups: ['admins'] });
      await server.addUser('bob', PASSWORD);
      ada = await someone();
      await ada.logIn('ada', PASSWORD, '/login?rd=%2Fadmin');
    });
    after(async () => {
      await browser?.close();
      await server?.stop();
    });

    test('the list, reached from the account page', async () => {
      await ada.open('/account');
      await ada.press('Administration');
      assert.equal(ada.path(), '/admin');
      assert.deepEqual(await accounts(), ['ada', 'bob']);
    });

    test('an account is added; a taken name and a weak password are said at their fields, nothing typed is lost', async () => {
      await ada.open('/admin');
      const add = ada.section('Add an account');
      await ada.fill({ 'User name': 'bob', 'Name optional': 'Grace Hopper', 'E-mail': 'grace@example.org',
        'Groups optional': 'staff, on-call', 'First password': PASSWORD }, add);
      assert.equal(await ada.press('Add account'), 409);
      assert.equal(await ada.focus(), 'User name');
      assert.match(await ada.alert(), /An account with this name exists/);
      assert.equal(await add.getByLabel('Groups optional').inputValue(), 'staff, on-call');
      await ada.fill({ 'User name': 'grace', 'First password': WEAK_PASSWORD }, add);
      assert.equal(await ada.press('Add account'), 400);
      assert.equal(await ada.focus(), 'First password');
      await ada.fill({ 'First password': PASSWORD }, add);
      assert.equal(await ada.press('Add account'), 200);
      assert.equal(await ada.heading(), 'grace');
      assert.equal(await ada.notice(), 'The account is there.');
      const { groups } = await server.ctlJson('user', 'show', 'grace');
      assert.deepEqual(groups, ['staff', 'on-call']);
    });

    test('accounts are found by name and by address; what is not found says so', async () => {
      await ada.open('/admin');
      for (const query of ['gra', 'grace@example.org']) {
        await ada.fill({ 'Find an account': query });
        assert.equal(await ada.press('Find'), 200);
        assert.deepEqual((await accounts()).map((text) => text.split(/\s/)[0]), ['grace'], query);
        assert.match(await ada.page.getByRole('heading', { name: /Found for/ }).innerText(), new RegExp(query));
      }
      await ada.fill({ 'Find an account': '<b>"nobody\'' });
      await ada.press('Find');
      assert.deepEqual(await accounts(), []);
      assert.equal(await ada.page.getByLabel('Find an account').inputValue(), '<b>"nobody\'');
      await ada.press('Show all');
      assert.equal((await accounts()).length, 3);
    });

    test('an invitation works once, for as many days as it says, in another browser', async () => {
      await ada.open('/admin');
      const invite = ada.section('Invite someone');
      await ada.fill({ 'Groups optional': 'guests', 'Valid for (days)': '3' }, invite);
      assert.equal(await ada.press('Make an invitation'), 200);
      const text = await ada.page.getByRole('main').innerText();
      const [link] = text.match(/http:\S+\/register\?invite=\S+/);
      const until = Date.parse(/until (\S+ \S+) UTC/.exec(text)[1].replace(' ', 'T') + 'Z');
      assert.ok(Math.abs(until - Date.now() - 3 * 86_400_000) < 300_000, text);
      await ada.press('Back to accounts');
      assert.equal(ada.path(), '/admin');

      const guest = await someone();
      await guest.open(link);
      await guest.fill({ 'User name': 'guest', 'E-mail': 'guest@example.org', Password: PASSWORD });
      assert.equal(await guest.press('Create account'), 200);
      assert.equal(guest.path(), '/account');
      assert.match(await guest.section('Who you are').innerText(), /guests/);
      const late = await someone();
      await late.open(link);
      await late.fill({ 'User name': 'late', 'E-mail': 'late@example.org', Password: PASSWORD });
      assert.equal(await late.press('Create account'), 403);
      assert.equal(await late.alert(), 'This invitation is not valid any more.');
      assert.equal(await late.focus(), 'Invitation code');
      assert.deepEqual([...guest.complaints, ...late.complaints], []);
      await guest.close();
      await late.close();
    });

    test('groups that can’t be are refused at their field, others are saved and hold at once', async () => {
      const bob = await someone();
      await bob.logIn('bob');
      await ada.open('/admin?user=bob');
      const details = ada.section('Details');
      await ada.fill({ 'Groups optional': 'st aff, ünder' }, details);
      assert.equal(await ada.press('Save'), 400);
      assert.equal(await ada.focus(), 'Groups optional');
      await ada.fill({ 'Groups optional': 'staff', 'Name optional': 'Bob <b>Kahn</b>' }, details);
      assert.equal(await ada.press('Save'), 200);
      assert.equal(await ada.notice(), 'Saved.');
      assert.equal(await details.getByLabel('Name optional').inputValue(), 'Bob <b>Kahn</b>');
      await bob.open('/account');
      assert.equal(await bob.heading(), 'Bob <b>Kahn</b>');
      assert.match(await bob.section('Who you are').innerText(), /staff/);
      await bob.close();
    });

    test('sessions of another are ended: one, then all', async () => {
      const bobs = [await someone(), await someone(), await someone()];
      for (const bob of bobs) await bob.logIn('bob');
      await ada.open('/admin?user=bob');
      const list = ada.section('Sessions');
      const rows = await list.getByRole('row').count();
      await ada.turn(() => list.getByRole('button', { name: /^End session/ }).first().click());
      assert.equal(await ada.notice(), 'The session has ended.');
      assert.equal(await list.getByRole('row').count(), rows - 1);
      await ada.press('End all');
      assert.match(await list.innerText(), /Not logged in anywhere/);
      for (const bob of bobs) {
        await bob.open('/account');
        assert.equal(bob.path(), '/login');
        await bob.close();
      }
    });

    test('a disabled account is out at once, and says so at log-in; enabled it comes in again', async () => {
      const bob = await someone();
      await bob.logIn('bob');
      await ada.open('/admin?user=bob');
      assert.equal(await ada.press('Disable account'), 200);
      assert.match(await ada.heading(), /bob\s+disabled/);
      await bob.open('/account');
      assert.equal(bob.path(), '/login');
      assert.equal(await bob.logIn('bob'), 403);
      assert.match(await bob.alert(), /disabled/);
      assert.equal(await ada.press('Enable account'), 200);
      assert.equal(await bob.logIn('bob'), 200);
      await bob.close();
    });

    test('one’s own account can’t be disabled, nor administration taken from oneself', async () => {
      await ada.open('/admin?user=ada');
      assert.equal(await ada.page.getByRole('button', { name: 'Disable account' }).count(), 0);
      await ada.fill({ 'Groups optional': '' }, ada.section('Details'));
      assert.equal(await ada.press('Save'), 409);
      assert.match(await ada.alert(), /can't take administration from yourself/);
      await ada.open('/admin');
      assert.ok((await accounts()).includes('ada'));
    });

    test('others get a page that says no, and a way back; nobody gets the log-in page', async () => {
      const bob = await someone();
      await bob.open('/admin');
      assert.equal(bob.path(), '/login');
      await bob.logIn('bob');
      for (const path of ['/admin', '/admin?user=ada', '/admin?q=a']) {
        assert.equal(await bob.open(path), 403);
        assert.equal(await bob.heading(), 'This page is for administrators');
      }
      assert.equal((await bob.page.content()).includes('ada'), false);
      await bob.press('To your account');
      assert.equal(bob.path(), '/account');
      await bob.close();
    });

    test('an account that is not there', async () => {
      assert.equal(await ada.open('/admin?user=nobody'), 404);
    });

    test('more accounts than a page holds', async () => {
      const more = Array.from({ length: 60 }, (_, i) => JSON.stringify({ name: `many${i}`, email: `many${i}@example.org` }));
      const done = await server.ctl('user', 'import', '-', { input: more.join('\n') });
      assert.equal(done.code, 0, done.stderr);
      await ada.open('/admin?q=many');
      const seen = await accounts();
      while (await ada.page.getByRole('link', { name: 'Next page' }).count()) {
        await ada.press('Next page');
        seen.push(...await accounts());
      }
      assert.deepEqual([seen.length, new Set(seen).size], [60, 60]);
    });

    test('the browser had nothing to complain about', () => assert.deepEqual(ada.complaints, []));
  });
}
