// SPDX-License-Identifier: ISC
// The files shown in docs/proxies/*.md, so that the stories run what people read.
//
// A file in a page is its path in bold, followed by one block of code.
import { readFileSync } from 'node:fs';

/** Returns the files of docs/proxies/NAME.md by path, each text put through `replace` pairs in order. */
export function recipe(name, replace = []) {
  const page = readFileSync(new URL(`../../docs/proxies/${name}.md`, import.meta.url), 'utf8');
  const files = {};
  for (const [, path, text] of page.matchAll(/^\*\*`([^`]+)`\*\*\n\n```\w*\n([\s\S]*?)^```$/gm)) {
    files[path] = replace.reduce((now, [from, to]) => now.replaceAll(from, to), text);
  }
  if (Object.keys(files).length === 0) throw new Error(`docs/proxies/${name}.md shows no files`);
  return files;
}

/** The keys of a stayd.conf, for startStayd. */
export function configKeys(text) {
  const keys = {};
  for (const [, key, value] of text.matchAll(/^(\w+) = (.*)$/gm)) keys[key] = value;
  return keys;
}
