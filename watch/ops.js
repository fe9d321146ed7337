// SPDX-License-Identifier: ISC
// Keeps the live page fresh: asks for it once a second and changes only what differs, so that what is
// focused, selected or scrolled stays. Without this script the page loads itself again.
'use strict';

const EVERY_MS = 1000;
const EVERY_HIDDEN_MS = 10000;
const TIMEOUT_MS = 4000;

function same(from, to) {
  return from.nodeType === to.nodeType && from.nodeName === to.nodeName;
}

function patchAttributes(from, to) {
  for (const { name } of [...from.attributes]) if (!to.hasAttribute(name)) from.removeAttribute(name);
  for (const { name, value } of to.attributes) if (from.getAttribute(name) !== value) from.setAttribute(name, value);
}

function patch(from, to) {
  if (from.nodeType === Node.ELEMENT_NODE) patchAttributes(from, to);
  else if (from.data !== to.data) from.data = to.data;
  const news = [...to.childNodes];
  news.forEach((next, i) => {
    const old = from.childNodes[i];
    if (old === undefined) from.append(document.importNode(next, true));
    else if (same(old, next)) patch(old, next);
    else old.replaceWith(document.importNode(next, true));
  });
  while (from.childNodes.length > news.length) from.lastChild.remove();
}

function say(text) {
  const line = document.getElementById('stale');
  if (line.textContent !== text) line.textContent = text;
}

let since = new Date();

async function turn() {
  try {
    const answer = await fetch(location.pathname, { cache: 'no-store', signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!answer.ok) throw new Error(String(answer.status));
    const next = new DOMParser().parseFromString(await answer.text(), 'text/html');
    patch(document.querySelector('main'), next.querySelector('main'));
    document.title = next.title;
    since = new Date();
    say('');
  } catch {
    say(`stayd-watch does not answer. What you see is of ${since.toLocaleTimeString()}.`);
  }
  setTimeout(turn, document.hidden ? EVERY_HIDDEN_MS : EVERY_MS);
}

setTimeout(turn, EVERY_MS);
