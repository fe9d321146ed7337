// SPDX-License-Identifier: ISC
// The live page in Chromium: it keeps itself fresh with a script and without, fits a phone, says when it is
// old, and breaks no strict policy.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startBrowser } from './lib/browser.mjs';
import { Client } from './lib/http.mjs';
import { inspect } from './lib/inspect.mjs';
import { person, PASSWORD, QUICK } from './lib/person.mjs';
import { until } from './lib/process.mjs';
import { startStayd } from './lib/stayd.mjs';

let server;
let browser;
let signedIn;

before(async () => {
  server = await startStayd({ config: QUICK });
  await server.addUser('ada', PASSWORD);
  signedIn = new Client(server.url);
  assert.equal((await signedIn.post('/api/v1/login', { json: { username: 'ada', password: PASSWORD } })).status, 200);
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const card = (page, title) => page.locator('.card', { has: page.getByRole('heading', { name: title, exact: true }) });
const rate = async (page, title) => Number((await card(page, title).locator('.big').first().textContent()).replace(/\s/g, ''));

test('the figures follow what happens, without the page being loaded again', async () => {
  const visitor = await person(browser, server.opsUrl);
  assert.equal(await visitor.open('/'), 200);
  await until(() => card(visitor.page, 'Checks').count(), { what: 'cards' });
  await visitor.page.evaluate(() => { window.kept = true; });
  await until(async () => {
    for (let i = 0; i < 20; i += 1) await signedIn.get('/auth/check');
    return await rate(visitor.page, 'Checks') > 1;
  }, { what: 'a rate' });
  assert.ok((await card(visitor.page, 'Checks').locator('path').getAttribute('d')).split('L').length > 1);
  assert.equal(await visitor.page.evaluate(() => window.kept), true);
  assert.deepEqual(visitor.complaints, []);
  await visitor.context.close();
});

test('every page of the ops listener is fit for all, from a phone of 320 pixels on', async () => {
  const visitor = await person(browser, server.opsUrl, { viewport: { width: 360, height: 740 } });
  for (const address of ['/', '/incidents', '/runbooks', '/runbooks/process']) {
    assert.equal(await visitor.open(address), 200);
    await until(async () => { // the page at its widest: with statements
      if (address !== '/') return true;
      await new Client(server.url).post('/api/v1/login', { json: { username: 'ada', password: PASSWORD } });
      return await visitor.page.getByRole('cell', { name: 'session_grant' }).count() > 0;
    }, { what: 'statements' });
    const wrong = await inspect(visitor.page);
    assert.deepEqual(wrong.filter((text) => !text.startsWith('inline: <script src="/ops.js"')), [], address);
  }
  assert.deepEqual(visitor.complaints, []);
  await visitor.context.close();
});

test('without scripts it is whole, and loads itself again', async () => {
  const visitor = await person(browser, server.opsUrl, { javaScriptEnabled: false });
  assert.equal(await visitor.open('/'), 200);
  assert.equal(await card(visitor.page, 'Log-ins').count(), 1);
  assert.ok(await visitor.page.locator('svg.spark path').count() >= 8);
  await visitor.page.waitForEvent('load', { timeout: 8000 });
  await visitor.context.close();
});

test('the policy allows our own script, and nothing else', async () => {
  const { headers } = await new Client(server.opsUrl).get('/');
  const policy = headers['content-security-policy'];
  assert.match(policy, /default-src 'none'/);
  assert.match(policy, /script-src 'self'/);
  assert.doesNotMatch(policy, /unsafe|\*/);
  const script = await new Client(server.opsUrl).get('/ops.js');
  assert.equal(script.headers['content-type'], 'text/javascript; charset=utf-8');
  assert.doesNotMatch(script.text, /innerHTML|eval\(/);
});

test('it says that it is old while stayd-watch can\'t be reached, and goes on when it can', async () => {
  const visitor = await person(browser, server.opsUrl);
  await visitor.open('/');
  const stale = visitor.page.locator('#stale');
  await visitor.context.setOffline(true);
  await until(async () => /does not answer/.test(await stale.textContent()), { what: 'a word about it' });
  await visitor.context.setOffline(false);
  await until(async () => await stale.textContent() === '', { what: 'fresh again' });
  await visitor.context.close();
});

test('a page whose own name was pointed here after it was loaded reads nothing', async () => {
  const rebound = await startBrowser({ args: ['--host-resolver-rules=MAP rebound.example 127.0.0.1'] });
  const page = await (await rebound.newContext()).newPage();
  const site = `http://rebound.example:${server.opsPort}`;
  assert.equal((await page.goto(`${site}/why.json`)).status(), 421);
  // For the browser this is now that site's page, and asks its own site.
  const read = (path) => page.evaluate(async (at) => {
    const answer = await fetch(at);
    return { status: answer.status, type: answer.type, text: await answer.text() };
  }, path);
  for (const path of ['/metrics', '/incidents.json', '/top.json', '/']) {
    const { status, type, text } = await read(path);
    assert.equal(`${status} ${type}`, '421 basic', path);
    assert.doesNotMatch(text, /stayd_|verdict|"incidents"/);
  }
  await rebound.close();
});
