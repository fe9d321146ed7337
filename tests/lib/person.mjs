// SPDX-License-Identifier: ISC
// A person at a browser: one context of Chromium that notes what a browser complains about.
//
//   const ada = await person(browser, server.url, { javaScriptEnabled: false });
//   await ada.open('/login');
//   await ada.logIn('ada', PASSWORD);
//   assert.deepEqual(ada.complaints, []);
import { until } from './process.mjs';

export const PASSWORD = 'torpid violin 83 cactus';
export const WEAK_PASSWORD = 'password123';

/** Settings for stories that log in often and ask nothing of the hashes. */
export const QUICK = { fronts: 1, password_memory: '8MiB', password_time: 1 };

// Chromium reports every answer of 400 and more as an error of its own; the stories look at the status.
const STATUS = /^Failed to load resource: the server responded with a status of/;

/** options: of browser.newContext. */
export async function person(browser, base, options = {}) {
  const context = await browser.newContext({ baseURL: base, ...options });
  context.setDefaultTimeout(10_000);
  const complaints = [];
  if (options.javaScriptEnabled !== false) {
    await context.exposeBinding('noteViolation', (_, text) => complaints.push(text));
    await context.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) => {
        window.noteViolation(`${event.violatedDirective}: ${event.blockedURI} at ${event.sourceFile}`);
      });
    });
  }
  const page = await context.newPage();
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type()) && !STATUS.test(message.text())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  return new Person(context, page, complaints);
}

class Person {
  constructor(context, page, complaints) {
    Object.assign(this, { context, page, complaints });
  }

  /** Goes to an address; returns the status. */
  async open(address) {
    return (await this.page.goto(address)).status();
  }

  /** Does what sends a form or follows a link; returns the status of the page that comes. */
  async turn(action) {
    const [answer] = await Promise.all([
      this.page.waitForResponse((one) => one.request().isNavigationRequest() && ![302, 303].includes(one.status())),
      this.page.waitForEvent('load'),
      action(),
    ]);
    return answer.status();
  }

  /** Presses a button or a link by its name; returns the status of the page that comes. */
  press(name, within = this.page) {
    return this.turn(() => within.getByRole('button', { name, exact: true })
      .or(within.getByRole('link', { name, exact: true })).click());
  }

  /** Fills fields by their labels: { 'User name': 'ada', … }. */
  async fill(fields, within = this.page) {
    for (const [label, value] of Object.entries(fields)) await within.getByLabel(label, { exact: true }).fill(value);
  }

  /** The part of a page under a heading. */
  section(heading) {
    return this.page.getByRole('region', { name: heading, exact: true });
  }

  async logIn(username, password = PASSWORD, address = '/login') {
    await this.open(address);
    await this.fill({ 'User name': username, Password: password });
    return this.press('Log in');
  }

  path() {
    return new URL(this.page.url()).pathname;
  }

  /** What a screen reader says at once. */
  alert() {
    return this.page.getByRole('alert').innerText();
  }

  notice() {
    return this.page.getByRole('status').innerText();
  }

  heading() {
    return this.page.getByRole('heading', { level: 1 }).innerText();
  }

  /** The fields that are marked as wrong: each with its label and what describes it. */
  marked() {
    return this.page.locator('[aria-invalid=true]').evaluateAll((all) => all.map((one) => ({
      label: one.labels[0].innerText,
      says: one.getAttribute('aria-describedby').split(' ').map((id) => document.getElementById(id)?.innerText).join(' '),
    })));
  }

  /** What has the focus, by its name. A field with "autofocus" has it a little after the page is there. */
  async focus() {
    return until(() => this.page.evaluate(() => {
      const element = document.activeElement;
      return element === document.body ? null
        : element.labels?.[0]?.innerText ?? element.getAttribute('aria-label') ?? element.innerText;
    }), { timeout: 5000, what: 'something with the focus' });
  }

  async cookie(name = 'stayd') {
    return (await this.context.cookies()).find((one) => one.name === name);
  }

  close() {
    return this.context.close();
  }
}
