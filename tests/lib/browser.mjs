// SPDX-License-Identifier: ISC
// Debian's Chromium, driven by playwright-core.
//
//   const browser = await startBrowser();
//   const page = await browser.newPage();
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { atEnd, temporaryFolder } from './process.mjs';

const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** A browser of playwright's; close() ends it. It dies with this process in any case. */
export async function startBrowser({ args = [], ...options } = {}) {
  const executablePath = process.env.CHROMIUM ?? places.find(existsSync);
  if (!executablePath) throw new Error('there is no Chromium (apt-get install chromium)');
  const home = temporaryFolder('chromium'); // its caches and crash reports stay out of the real one
  const browser = await chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', ...args],
    env: { ...process.env, HOME: home, XDG_CONFIG_HOME: home, XDG_CACHE_HOME: home },
    ...options,
  });
  atEnd(() => browser.close()); // a story that failed must not wait for it
  return browser;
}
