// SPDX-License-Identifier: ISC
// A whole stayd in a temporary folder, on ports of its own.
//
//   const server = await startStayd({ config: { registration: 'open' } });
//   … server.url, server.setupLink(), server.ctl('user', 'list'), server.log
//   await server.stop();
//
// The executables come from $STAYD_BIN. A report of a sanitizer fails the story at stop(). With
// STAYD_TEST_DATABASE=postgres every stayd has a database of its own in the story's PostgreSQL instead of SQLite.
import { accessSync, constants, existsSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { join, resolve } from 'node:path';
import { makeCertificate } from './certificate.mjs';
import { startPostgres } from './postgres.mjs';
import { descendants, freePort, Program, run, temporaryFolder, until } from './process.mjs';

const bin = resolve(process.env.STAYD_BIN ?? new URL('../../build-asan/bin', import.meta.url).pathname);
const SANITIZER = /^.*(?:ERROR: \w+Sanitizer|runtime error:|SUMMARY: \w+Sanitizer).*$/m;
const SANITIZER_OTHER = /^.*(?:(?:ERROR|SUMMARY): \w+Sanitizer: (?!SEGV|ABRT)|runtime error:).*$/m;

export function executable(name) {
  const path = join(bin, name);
  try {
    accessSync(path, constants.X_OK);
  } catch {
    throw new Error(`${path} is not built (STAYD_BIN names the folder)`);
  }
  return path;
}

/** The text of a configuration: keys in order, a list repeats its key, rules are sections. */
export function configText(config, rules = []) {
  const lines = [];
  const put = (key, value) => {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null) lines.push(`${key} = ${one === true ? 'yes' : one === false ? 'no' : one}`);
    }
  };
  for (const [key, value] of Object.entries(config)) put(key, value);
  for (const rule of typeof rules === 'string' ? [] : rules) {
    lines.push('', '[rule]');
    for (const [key, value] of Object.entries(rule)) put(key, value);
  }
  return `${lines.join('\n')}\n${typeof rules === 'string' ? rules : ''}`;
}

/** One line of logfmt as an object: `at=… level=info message="two words"`. */
export function parseLogfmt(line) {
  const fields = {};
  for (const [, key, quoted, bare] of line.matchAll(/([\w.-]+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))/g)) {
    fields[key] = quoted === undefined ? bare : unquote(quoted);
  }
  return fields;
}

function unquote(text) {
  try {
    return JSON.parse(`"${text}"`);
  } catch {
    return text.replace(/\\(.)/g, '$1');
  }
}

/** GET without ceremony, for waiting: the status, or throws. */
function status(url) {
  return new Promise((done, fail) => {
    const request = (url.startsWith('https:') ? https : http).get(url, {
      agent: false, timeout: 2000, rejectUnauthorized: false,
    });
    request.once('timeout', () => request.destroy(new Error('no answer')));
    request.once('error', fail);
    request.once('response', (response) => {
      response.resume();
      response.once('end', () => done(response.statusCode));
    });
  });
}

export class Stayd {
  constructor({ folder, configFile, dataDir, url, port, opsPort, env, timeout }) {
    Object.assign(this, { folder, configFile, dataDir, url, port, opsPort, env, timeout });
    this.opsUrl = `http://127.0.0.1:${opsPort}`;
    this.program = null;
    this.earlier = ''; // what runs before a restart wrote
  }

  get pid() {
    return this.program?.pid;
  }

  /** Everything written so far, by all processes and all runs. */
  get output() {
    return this.earlier + (this.program?.output ?? '');
  }

  /** The log, a line an object; what is not logfmt has only `line`. */
  get log() {
    return this.output.split('\n').filter(Boolean).map((line) => ({ line, ...parseLogfmt(line) }));
  }

  /** Waits for a log line that passes `test` (a function, or an object of fields). */
  logged(test, options) {
    const matches = typeof test === 'function' ? test
      : (entry) => Object.entries(test).every(([key, value]) => value instanceof RegExp
        ? value.test(entry[key] ?? '') : entry[key] === String(value));
    return until(() => this.log.find(matches), { what: `a log line like ${test}`, ...options });
  }

  spawn() {
    this.program = new Program(executable('stayd'), ['-c', this.configFile], {
      cwd: this.folder, env: this.env,
    });
  }

  async start() {
    const fresh = !this.started && !existsSync(resolve(this.folder, this.dataDir, 'store', 'stayd.db'));
    this.started = true;
    this.spawn();
    try {
      await this.ready();
      // Readiness does not wait for it, but whoever starts a new server may want it.
      if (fresh) await until(() => this.output.includes('/setup?token='), { what: 'the set-up link' });
    } catch (error) {
      this.program.killTree();
      throw new Error(`${error.message}\n${this.output.slice(-6000)}`);
    }
    return this;
  }

  /** Waits until /readyz says 200. */
  ready(timeout = this.timeout) {
    return until(async () => {
      if (this.program.exit) {
        const { code, signal, error } = this.program.exit;
        const ended = new Error(error ? error.message : `stayd ended (code ${code}, signal ${signal})`);
        throw Object.assign(ended, { fatal: true });
      }
      return (await status(`${this.url}/readyz`)) === 200;
    }, { timeout, what: 'stayd ready' });
  }

  /** The one-time link for the first administrator, as printed at the start. */
  setupLink() {
    const found = this.output.match(/https?:\/\/[^\s"']+\/setup[^\s"']*/);
    if (!found) throw new Error(`no set-up link was printed:\n${this.output.slice(-3000)}`);
    return found[0];
  }

  /** Runs stayctl with this configuration: { code, signal, stdout, stderr }. */
  ctl(...args) {
    const options = typeof args.at(-1) === 'object' ? args.pop() : {};
    return run(executable('stayctl'), ['-c', this.configFile, ...args.map(String)], {
      cwd: this.folder, ...options,
    });
  }

  /** The same for reads with --json: the parsed answer. */
  async ctlJson(...args) {
    const done = await this.ctl(...args, '--json');
    if (done.code !== 0) throw new Error(`stayctl ${args.join(' ')}: exit ${done.code}\n${done.stderr}`);
    return JSON.parse(done.stdout);
  }

  /** Makes an account by stayctl. */
  async addUser(name, password, { email = `${name}@example.org`, groups = [] } = {}) {
    const done = await this.ctl('user', 'add', name, '--email', email,
      ...groups.flatMap((group) => ['--group', group]), '--password-stdin', { input: `${password}\n` });
    if (done.code !== 0) throw new Error(`user add ${name}: exit ${done.code}\n${done.stderr}${done.stdout}`);
  }

  /** Pids by the executable's name: { 'stayd-front': [12, 13], 'stayd-core': [14], … }. */
  children() {
    const byName = {};
    for (const { pid, name } of this.pid ? descendants(this.pid) : []) (byName[name] ??= []).push(pid);
    return byName;
  }

  /** Sends a signal to every child of that name (or to its n-th); returns the pids. */
  kill(name, signal = 'SIGKILL', index) {
    const all = this.children()[name] ?? [];
    const pids = index === undefined ? all : all.slice(index, index + 1);
    if (pids.length === 0) throw new Error(`there is no ${name}`);
    for (const pid of pids) process.kill(pid, signal);
    return pids;
  }

  /** Waits until all children of that name are others than `pids`, and ready again. */
  async replaced(name, pids, timeout = 10_000) {
    const fresh = await until(() => {
      const now = this.children()[name] ?? [];
      return now.length >= pids.length && now.every((pid) => !pids.includes(pid)) && now;
    }, { timeout, what: `${name} started again` });
    await this.ready(timeout);
    return fresh;
  }

  /** Writes a changed configuration; the next start, or reload(), reads it. */
  reconfigure(config, rules = this.rules) {
    Object.assign(this, { config: { ...this.config, ...config }, rules });
    writeFileSync(this.configFile, configText(this.config, rules));
  }

  /** Writes a changed configuration and sends SIGHUP. */
  reload(config, rules) {
    if (config || rules) this.reconfigure(config, rules);
    process.kill(this.pid, 'SIGHUP');
  }

  /** Stops and starts again on the same folder and ports. */
  async restart({ signal = 'SIGTERM' } = {}) {
    await this.stop({ signal });
    return this.start();
  }

  /**
   * Ends it; throws when a process wrote a sanitizer's report. Returns { code, signal, killed }.
   * crashes: a story that makes processes crash by signal expects those reports, and no others.
   */
  async stop({ signal = 'SIGTERM', timeout = 15_000, crashes = false } = {}) {
    if (!this.program) return null;
    const below = this.pid ? descendants(this.pid) : [];
    const how = await this.program.stop(signal, timeout);
    const { program } = this;
    this.earlier += program.output;
    this.program = null;
    try {
      await until(() => below.every(({ pid }) => gone(pid)), { timeout: 5000, what: 'all children gone' });
    } finally {
      program.killTree();
    }
    const report = this.earlier.match(crashes ? SANITIZER_OTHER : SANITIZER);
    if (report) throw new Error(`a sanitizer's report: ${report[0]}\n${this.earlier.slice(report.index, report.index + 6000)}`);
    return how;
  }
}

function gone(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return 'ZX'.includes(stat.slice(stat.lastIndexOf(')') + 2)[0]);
  } catch {
    return true;
  }
}

let cluster; // one for all servers of a story
let databases = 0;

/** A fresh database in the story's PostgreSQL: { config: keys of the configuration, place: { postgres, database } }. */
async function ownDatabase(folder) {
  const postgres = await (cluster ??= startPostgres());
  databases += 1;
  const database = `stayd${databases}`;
  await postgres.createDatabase(database);
  return { config: postgres.config({ folder, database }), place: { postgres, database } };
}

/**
 * Writes a configuration without starting anything; start() does.
 * config: keys over the defaults (null leaves one out); rules: [{ host, path, group, … }] or text.
 * tls: true, or what makeCertificate returned, to speak https by itself.
 */
export async function prepareStayd({ config = {}, rules = [], env = {}, timeout = 20_000, tls = false } = {}) {
  const folder = temporaryFolder('stayd');
  const [port, opsPort] = [await freePort(), await freePort()];
  const certificate = tls === true ? await makeCertificate() : tls;
  const url = `${certificate ? 'https' : 'http'}://127.0.0.1:${port}`;
  const dataDir = config.data_dir ?? join(folder, 'data');
  const all = {
    public_url: url,
    listen: `127.0.0.1:${port}`,
    ops_listen: `127.0.0.1:${opsPort}`,
    data_dir: dataDir,
    ...(certificate && { tls_certificate: certificate.certificate, tls_key: certificate.key }),
    ...config,
  };
  const database = config.database === undefined && process.env.STAYD_TEST_DATABASE === 'postgres' ? await ownDatabase(folder) : null;
  Object.assign(all, database?.config);
  const configFile = join(folder, 'stayd.conf');
  writeFileSync(configFile, configText(all, rules));
  const server = new Stayd({ folder, configFile, dataDir, url, port, opsPort, env, timeout });
  return Object.assign(server, { config: all, rules, certificate, ...database?.place });
}

/** Starts stayd and waits until it is ready. */
export async function startStayd(options) {
  return (await prepareStayd(options)).start();
}
