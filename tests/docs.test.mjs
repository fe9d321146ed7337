// SPDX-License-Identifier: ISC
// The docs say what is true: each command in them is run, each setting is one that the parser knows, each
// target of make is in its list. (The pages of proxies and README.md's nginx have stories of their own:
// proxy_*.test.mjs. Paths and links are held by tools/tidy.)
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { test } from 'node:test';
import { Client } from './lib/http.mjs';
import { atEnd, freePort, Program, run, temporaryFolder, until } from './lib/process.mjs';
import { startPostgres } from './lib/postgres.mjs';
import { executable, prepareStayd, startStayd } from './lib/stayd.mjs';

const top = new URL('..', import.meta.url).pathname;
const read = (path) => readFileSync(join(top, path), 'utf8');
const pages = ['README.md', 'CONTRIBUTING.md',
  ...readdirSync(join(top, 'docs'), { recursive: true }).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)];

/** The blocks of a page: [{ language, text }]. */
const blocks = (page) => [...read(page).matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(([, language, text]) => ({ language, text }));

/** The commands of a page's ```sh blocks, without their comments. */
const commands = (page) => blocks(page).filter(({ language }) => language === 'sh')
  .map(({ text }) => text.split('\n').map((line) => line.replace(/\s+#.*$/, '')).filter(Boolean));

/** What make writes, also when this story was itself started by one. */
async function make(...args) {
  const { code, stdout, stderr } = await run('make', ['--no-print-directory', ...args],
    { cwd: top, env: { MAKEFLAGS: '', MAKELEVEL: '' } });
  assert.equal(code, 0, stderr);
  return stdout;
}

const bin = dirname(executable('stayd'));

test('no page has commands that no story runs', () => {
  const run = ['README.md', 'docs/stayctl.md', 'docs/postgresql.md'].concat(pages.filter((page) => page.startsWith('docs/runbooks/'))); // below, and in monitoring.test.mjs
  assert.deepEqual(pages.filter((page) => commands(page).length > 0 && !run.includes(page)), []);
  // make check runs this story, so this story can't run it.
  assert.deepEqual(commands('README.md'), [['make run', 'make check']]);
  // What it prints is held to a real run by postgres_why.test.mjs.
  assert.deepEqual(pages.flatMap((page) => [...read(page).matchAll(/^ *\$ (.*)$/gm)].map(([, line]) => [page, line])), [['README.md', 'stayctl why']]);
});

test('make help lists every target, and the docs name only those', async () => {
  const makefile = read('Makefile');
  const targets = /^\.PHONY: (.*)$/m.exec(makefile)[1].split(' ').sort();
  const defined = [...makefile.matchAll(/^([a-z-]+):/gm)].map(([, name]) => name).sort();
  assert.deepEqual([...(await make('help')).matchAll(/^ {2}make (\S+)/gm)].map(([, name]) => name).sort(), targets);
  assert.deepEqual(defined, targets);
  for (const page of pages) {
    for (const [, name] of read(page).matchAll(/`make ([a-z-]+)/g)) assert.ok(targets.includes(name), `${page}: make ${name}`);
  }
});

test('make run: the address and the set-up link; Ctrl-C ends it; a port in use is said', async () => {
  assert.deepEqual((await make('-n', 'run')).trim().split('\n'), ['tools/deps build', 'tools/build plain', 'tools/run']);
  const [port, opsPort, folder] = [await freePort(), await freePort(), temporaryFolder('run')];
  const env = { VAR: join(folder, 'var'), STAYD_BIN: bin, PORT: String(port), OPS_PORT: String(opsPort) };
  const start = (more) => new Program(join(top, 'tools/run'), [], { cwd: folder, env: { ...env, ...more } });

  const program = start();
  const link = await until(() => /http:\S+\/setup\?token=\S+/.exec(program.streams.stdout)?.[0], { timeout: 20_000, what: 'the link' });
  assert.match(program.streams.stdout, new RegExp(`http://127.0.0.1:${port}\n`));
  assert.match(read('README.md'), /http:\/\/127\.0\.0\.1:8080 and prints the set-up link/);
  assert.equal((await new Client('http://127.0.0.1').get(link)).status, 200);

  const second = start({ VAR: join(folder, 'other'), OPS_PORT: String(await freePort()) });
  assert.notEqual((await second.ends()).code, 0);
  await second.closed;
  assert.match(second.output, new RegExp(`127.0.0.1:${port}: the address is in use`));

  process.kill(-program.pid, 'SIGINT'); // as a terminal does
  assert.deepEqual(await program.ends(), { code: 0, signal: null });
});

test('docs/stayctl.md: its commands, in order', async () => {
  const server = await startStayd();
  const [serving, stopped] = commands('docs/stayctl.md');
  const env = { PATH: `${bin}${delimiter}${process.env.PATH}`, STAYD_CONFIG: server.configFile };
  const shell = async (line) => {
    const input = line.includes('--password-stdin') ? 'torpid violin 83 cactus\n' : '';
    const { code, stdout, stderr } = await run('sh', ['-c', line], { cwd: server.folder, env, input });
    assert.equal(code, 0, `${line}\n${stdout}${stderr}`);
    return stdout;
  };
  for (const line of serving) await shell(line);
  for (const command of ['user', 'session', 'audit']) {
    assert.ok(serving.some((line) => line.startsWith(`stayctl ${command} `)), command);
  }
  const before = await server.ctlJson('user', 'show', 'ada');
  await server.ctl('user', 'set', 'ada', '--display-name', 'Someone else');
  await server.stop();
  for (const line of stopped) await shell(line);
  await server.start();
  assert.deepEqual(await server.ctlJson('user', 'show', 'ada'), before);
  await server.stop();
});

test('docs/postgresql.md: its commands, in order', async () => {
  const postgres = await startPostgres();
  atEnd(() => postgres.stop());
  await postgres.sql('DROP DATABASE stayd', { database: 'postgres' });
  await postgres.sql('DROP ROLE stayd', { database: 'postgres' });
  const [creating, looking, seeing, saving] = commands('docs/postgresql.md');
  const password = /PASSWORD '([^']+)'/.exec(creating.join('\n'))[1];
  const folder = temporaryFolder('postgresql');
  const server = await prepareStayd({ config: postgres.config({ folder, password }) });
  const env = { PATH: `${bin}${delimiter}${process.env.PATH}`, STAYD_CONFIG: server.configFile, DATA: server.dataDir,
    PGHOST: postgres.folder, PGPORT: String(postgres.port), PGUSER: 'postgres' };
  const shell = async (line) => {
    const { code, stdout, stderr } = await run('sh', ['-c', line], { cwd: folder, env });
    assert.equal(code, 0, `${line}\n${stdout}${stderr}`);
  };
  for (const line of [...creating, ...looking]) await shell(line);
  server.spawn();
  await server.ready();
  await server.addUser('ada', 'torpid violin 83 cactus');
  for (const line of [...looking, ...seeing, ...saving]) await shell(line);
  assert.match((await run('pg_restore', ['--list', join(folder, 'stayd.dump')])).stdout, /TABLE DATA public accounts/);
  assert.match((await run('tar', ['-tf', join(folder, 'stayd-keys.tar')])).stdout, /keys\/data\.key/);
  await server.stop();
});

// ---- docs/configuration.md beside supervisor/config.c and config_keys.c

const parser = read('supervisor/config.c');

/** The names in one of the parser's tables. */
const known = (table) => [...new RegExp(`struct config_key ${table}\\[\\w+\\] = \\{([\\s\\S]*?)^\\};`, 'm').exec(read('supervisor/config_keys.c'))[1]
  .matchAll(/^ {4}\{"(\w+)"/gm)].map(([, name]) => name);

/** The rows of the page's tables with these headings: lists of cells. */
function rows(heading) {
  const lines = read('docs/configuration.md').split('\n');
  const found = [];
  lines.forEach((line, at) => {
    if (!line.startsWith(`| ${heading} |`)) return;
    for (let i = at + 2; lines[i]?.startsWith('|'); i += 1) found.push(lines[i].split('|').slice(1, -1).map((cell) => cell.trim()));
  });
  return found;
}

const quoted = (cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, text]) => text);

/** { key: default }, undefined where the page says "none". */
function documented() {
  const keys = {};
  for (const [names, defaults] of rows('key | default | what')) {
    quoted(names).forEach((name, i) => { keys[name] = defaults === 'none' ? undefined : quoted(defaults)[i]; });
  }
  return keys;
}

test('docs/configuration.md names the keys that the parser knows, all and no others', () => {
  assert.deepEqual(Object.keys(documented()).sort(), known('config_keys').sort());
  assert.deepEqual(rows('key | what | left out').flatMap(([names]) => quoted(names)).sort(), known('config_rule_keys').sort());
});

/** A value of the page as the parser's defaults have it: milliseconds, seconds, KiB, constants. */
function plain(text, unit) {
  const [, number, suffix] = /^(\d+)(\w*)$/.exec(text) ?? [];
  if (number === undefined) return text;
  const factor = { '': 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, KiB: 1, MiB: 1024 }[suffix];
  return Number(number) * factor / (unit === 's' ? 1000 : 1);
}

test('docs/configuration.md has the right defaults', () => {
  const [, body] = /^void config_defaults[\s\S]*?\{([\s\S]*?)^\}/m.exec(parser);
  const words = { WIRE_REGISTRATION_INVITE: 'invite', LOG_INFO: 'info', LOG_LOGFMT: 'logfmt' };
  const defaults = {};
  for (const [, field, value] of body.matchAll(/\.(\w+)(?:\.\w+)? = ("[^"]*"|[^,]+),/g)) {
    const [, name, unit] = /^(.*?)(?:_(s|ms|kib))?$/.exec(field);
    const sum = /^[\d *]+$/.test(value) ? value.split('*').reduce((all, one) => all * Number(one), 1) : undefined;
    defaults[name] = { unit, value: sum ?? words[value] ?? JSON.parse(value) };
  }
  for (const name of ['listen', 'ops_listen']) {
    defaults[name] = { value: new RegExp(`VIEW\\("([^"]+)"\\), &config->${name}\\b`).exec(body)[1] };
  }
  const told = documented();
  for (const [name, { unit, value }] of Object.entries(defaults)) assert.equal(plain(told[name], unit), value, name);
  const left = Object.keys(told).filter((name) => !(name in defaults) && told[name] !== undefined);
  assert.deepEqual(left.filter((name) => told[name] !== 'auto'), []);
});

test('every default can be written down, and every example of a configuration passes stayd --check', async () => {
  const server = await prepareStayd();
  const examples = { 'every default': Object.entries(documented()).filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} = ${value}\n`).join('') };
  for (const page of ['docs/configuration.md', 'docs/postgresql.md']) {
    for (const { language, text } of blocks(page)) {
      if (language === '') examples[`${page}: ${text.slice(0, 40)}`] = text;
    }
  }
  examples['an empty file'] = '';
  examples['packaging/stayd.conf'] = read('packaging/stayd.conf');
  assert.ok(Object.keys(examples).length >= 4);
  for (const name of ['database-password', 'database-ca.pem']) { // beside the file, as the example has them
    writeFileSync(join(dirname(server.configFile), name), 'x\n', { mode: name.endsWith('.pem') ? 0o644 : 0o600 });
  }
  for (const [name, text] of Object.entries(examples)) {
    writeFileSync(server.configFile, text);
    const { code, stdout, stderr } = await run(executable('stayd'), ['--check', '-c', server.configFile]);
    assert.equal(code, 0, `${name}\n${stdout}${stderr}`);
  }
  writeFileSync(server.configFile, 'public_url = http://127.0.0.1:8080\nlissten = 127.0.0.1:1\nfronts = many\n');
  const { code, stderr } = await run(executable('stayd'), ['--check', '-c', server.configFile]);
  assert.notEqual(code, 0);
  for (const said of [/:2:.*listen/, /:3:.*fronts|fronts.*many/]) assert.match(stderr, said); // all at once, with lines
});
