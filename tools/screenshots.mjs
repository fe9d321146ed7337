// SPDX-License-Identifier: ISC
// The pictures of the docs: starts the stayd that was built, with example data in a temporary
// folder, and photographs its pages in Chromium: `make screenshots`, or
// `node tools/screenshots.mjs [FOLDER]` to look at them elsewhere.
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';

process.env.STAYD_BIN ??= new URL('../build/bin', import.meta.url).pathname;
const { startBrowser } = await import('../tests/lib/browser.mjs');
const { Client } = await import('../tests/lib/http.mjs');
const { startStayd } = await import('../tests/lib/stayd.mjs');

const folder = resolve(process.argv[2] ?? new URL('../docs/pictures', import.meta.url).pathname);
const PASSWORD = 'torpid violin 83 cactus';
const desk = { width: 1080, height: 675 };
const phone = { width: 390, height: 844 };
const PICTURE_BYTES_MAX = 150_000;
const COMPOSED_BYTES_MAX = 300_000;

const people = [
  ['ada', 'Ada Lovelace', ['admins', 'staff']],
  ['dorothy', 'Dorothy Vaughan', ['staff']],
  ['grace', 'Grace Hopper', ['staff', 'compilers', 'on-call']],
  ['katherine', 'Katherine Johnson', ['staff']],
  ['mary', 'Mary Jackson', ['staff', 'on-call']],
];

const devices = [
  ['192.0.2.17', 'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1'],
  ['2001:db8:4f:1::c0de', 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0'],
];

async function populate(server) {
  for (const [name, fullName, groups] of people) {
    await server.addUser(name, PASSWORD, { email: `${name}@example.org`, groups });
    await server.ctl('user', 'set', name, '--display-name', fullName);
  }
  await server.ctl('user', 'disable', 'katherine');
  for (const [address, agent] of devices) {
    await new Client(server.url, { headers: { 'user-agent': agent, 'x-forwarded-for': address } })
      .post('/api/v1/login', { json: { username: 'ada', password: PASSWORD } });
  }
}

async function photograph(page, name) {
  const path = join(folder, `${name}.png`);
  await page.waitForLoadState('networkidle');
  await page.evaluate(() => new Promise((painted) => {
    requestAnimationFrame(() => requestAnimationFrame(painted));
  }));
  await page.screenshot({ path, animations: 'disabled' });
  const { size } = statSync(path);
  if (size > PICTURE_BYTES_MAX) throw new Error(`${path} has ${size} bytes`);
}

/** One person at one device: the pages in order, as `place`-`scheme` pictures. */
async function walk(browser, server, place, viewport, scheme) {
  const context = await browser.newContext({
    viewport, colorScheme: scheme, reducedMotion: 'reduce', extraHTTPHeaders: { 'x-forwarded-for': '198.51.100.4' },
  });
  const page = await context.newPage();
  const take = (name) => photograph(page, `${name}-${place}-${scheme}`);
  await page.goto(`${server.url}/login`);
  await take('login');
  await page.fill('#username', 'ada');
  await page.fill('#password', PASSWORD);
  await Promise.all([page.waitForURL('**/account'), page.click('.primary')]);
  await take('account');
  await page.goto(`${server.url}/admin`);
  await take('admin');
  await page.goto(`${server.url}/account`);
  await Promise.all([page.waitForURL('**/login?*'), page.click('form[action="/logout"] button')]);
  await context.close();
}

const picture = (name) => `data:image/png;base64,${readFileSync(join(folder, `${name}.png`)).toString('base64')}`;

/** The picture at the top of the README, of those taken before. */
async function compose(browser) {
  const page = await browser.newPage({ viewport: { width: 1200, height: 404 }, deviceScaleFactor: 1.5 });
  const names = ['login-desk-light', 'login-phone-dark', 'account-phone-light', 'admin-phone-dark'];
  await page.setContent(`<!doctype html><style>
    body { display: flex; justify-content: space-between; margin: 0; padding: 24px; background: #d5e1e3; }
    img { height: 356px; border-radius: 12px; box-shadow: 0 0 0 1px #a9bcc0; }
  </style>${names.map((name) => `<img alt="" src="${picture(name)}">`).join('')}`);
  const path = join(folder, 'pages.png');
  await page.screenshot({ path });
  if (statSync(path).size > COMPOSED_BYTES_MAX) throw new Error(`${path} has ${statSync(path).size} bytes`);
}

mkdirSync(folder, { recursive: true });
const server = await startStayd({ config: { trusted_proxies: '127.0.0.1' } });
const browser = await startBrowser();
await populate(server);
for (const scheme of ['light', 'dark']) {
  await walk(browser, server, 'desk', desk, scheme);
  await walk(browser, server, 'phone', phone, scheme);
}
await compose(browser);
await browser.close();
await server.stop();
process.exit(0);
