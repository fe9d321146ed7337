// SPDX-License-Identifier: ISC
// What is wrong with a page for people who see little, use the keyboard only, or hold a phone.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** All that is wrong with the page as it is, in both colour schemes: a list of texts. */
export async function inspect(page) {
  const wrong = [...await page.evaluate(structure)];
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    wrong.push(...(await page.evaluate(contrast)).map((text) => `${colorScheme}: ${text}`));
    wrong.push(...(await automatic(page)).map((text) => `${colorScheme}: ${text}`));
  }
  await page.emulateMedia({ colorScheme: null });
  return [...wrong, ...await narrow(page)];
}

/** axe-core; it finds about half of what can be wrong, which is why the rest of this file is there. */
async function automatic(page) {
  await page.evaluate(`${axe}; 0`);
  const { violations } = await page.evaluate((values) => window.axe.run(document, {
    runOnly: { type: 'tag', values }, resultTypes: ['violations'], preload: false,
  }), RULES);
  return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html).join(' ').slice(0, 300)}`);
}

// Runs in the page: labels, languages, code and style that a strict policy refuses.
function structure() {
  const wrong = [];
  const html = (element) => element.outerHTML.slice(0, 200);
  for (const one of document.querySelectorAll('input:not([type=hidden]), select, textarea')) {
    if (!one.labels?.length && !one.getAttribute('aria-label')) wrong.push(`no label: ${html(one)}`);
    for (const id of (one.getAttribute('aria-describedby') ?? '').split(' ').filter(Boolean)) {
      if (!document.getElementById(id)) wrong.push(`described by "${id}", which is not there: ${html(one)}`);
    }
  }
  const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) wrong.push(`id "${id}" twice`);
  for (const one of document.querySelectorAll('script, style, [style], iframe, object, embed, base')) wrong.push(`inline: ${html(one)}`);
  for (const one of document.querySelectorAll('*')) {
    for (const { name, value } of one.attributes) {
      if (name.startsWith('on') || /^\s*javascript:/i.test(value)) wrong.push(`code: ${html(one)}`);
    }
  }
  for (const one of document.querySelectorAll('form[method=post]')) {
    if (!one.querySelector('button')) wrong.push(`no button: ${html(one)}`);
  }
  if (!document.documentElement.lang) wrong.push('no language');
  if (document.querySelectorAll('h1').length !== 1) wrong.push('not one h1');
  if (!document.title.trim()) wrong.push('no title');
  return wrong;
}

// Runs in the page: WCAG 2 contrast of every piece of text against what lies behind it.
function contrast() {
  const parse = (text) => {
    const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number);
    return { r, g, b, a };
  };
  const over = (top, below) => ({
    r: top.r * top.a + below.r * (1 - top.a), g: top.g * top.a + below.g * (1 - top.a), b: top.b * top.a + below.b * (1 - top.a), a: 1,
  });
  const luminance = ({ r, g, b }) => [r, g, b].map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, i) => sum + part * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    const layers = [];
    for (let one = element; one; one = one.parentElement) layers.push(parse(getComputedStyle(one).backgroundColor));
    return layers.reduceRight((below, layer) => over(layer, below), { r: 255, g: 255, b: 255, a: 1 });
  };
  const wrong = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const style = getComputedStyle(element);
    if (!walker.currentNode.data.trim() || style.visibility === 'hidden' || element.getClientRects().length === 0) continue;
    const back = behind(element);
    const [light, dark] = [luminance(over(parse(style.color), back)), luminance(back)].sort((a, b) => b - a);
    const ratio = (light + 0.05) / (dark + 0.05);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
    if (ratio < (large ? 3 : 4.5)) wrong.push(`contrast ${ratio.toFixed(2)}: "${walker.currentNode.data.trim()}"`);
  }
  return wrong;
}

// 320 pixels: a phone of the smallest kind, or a desk at 400 %. 800: the least for tables.
async function narrow(page) {
  const size = page.viewportSize();
  const wrong = [];
  for (const width of [800, 320]) {
    await page.setViewportSize({ width, height: 640 });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    if (wide > width) wrong.push(`${wide} pixels wide on ${width}`);
  }
  wrong.push(...await page.evaluate(() => [...document.querySelectorAll('button, input:not([type=hidden], [hidden])')]
    .filter((one) => one.getClientRects().length > 0 && one.getBoundingClientRect().height < 44)
    .map((one) => `smaller than a finger: ${one.outerHTML.slice(0, 120)}`)));
  await page.setViewportSize(size);
  return wrong;
}

/** What Tab reaches, in order, by name: each with whether one sees that it has the focus. */
export async function tabs(page, most = 60) {
  await page.evaluate(() => document.activeElement?.blur());
  const reached = [];
  for (let i = 0; i < most; i += 1) {
    await page.keyboard.press('Tab');
    const one = await page.evaluate(() => {
      const element = document.activeElement;
      if (!element || element === document.body) return null;
      const style = getComputedStyle(element);
      return {
        name: (element.getAttribute('aria-label') ?? element.labels?.[0]?.innerText ?? element.innerText).replace(/\s+/g, ' ').trim(),
        seen: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
        place: [...document.querySelectorAll('*')].indexOf(element),
      };
    });
    if (!one || reached.some(({ place }) => place === one.place)) break;
    reached.push(one);
  }
  return reached;
}
