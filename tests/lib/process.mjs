// SPDX-License-Identifier: ISC
// What every story starts and must not leave behind: processes, temporary folders, free ports.
//
// Each program runs in a process group of its own. When the story's process ends, however it
// ends, the groups that are left are killed and the folders removed: an assertion that throws
// leaves nothing running. Programs don't keep the story's process alive either: a story that
// failed ends, instead of waiting for a server nobody stops. (Only SIGKILL to the story itself can't be caught; tools/check sends
// SIGTERM first.)
import { spawn as nodeSpawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

const running = new Set();
const folders = new Set();
const handedOut = new Set();
const endings = [];

/** Something to be called after all tests of the file, in whichever test it was started. */
export function atEnd(ending) {
  endings.push(ending);
}

function cleanUp() {
  for (const program of running) program.killTree();
  running.clear();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  folders.clear();
}

process.on('exit', cleanUp);
process.on('uncaughtExceptionMonitor', cleanUp); // node:test may end without the event "exit"
after(async () => {
  await Promise.allSettled(endings.map((ending) => ending()));
  cleanUp();
});
for (const [name, number] of [['SIGINT', 2], ['SIGTERM', 15], ['SIGHUP', 1]]) {
  process.on(name, () => process.exit(128 + number));
}

/** A fresh folder, removed at the end. Others may pass through it: children run as other users. */
export function temporaryFolder(name = 'stayd') {
  const folder = mkdtempSync(join(tmpdir(), `${name}-`));
  chmodSync(folder, 0o755);
  folders.add(folder);
  return folder;
}

/** A port nobody listens on now, and that this process has not handed out before. */
export async function freePort(host = '127.0.0.1') {
  for (;;) {
    const server = net.createServer();
    server.listen(0, host);
    await once(server, 'listening');
    const { port } = server.address();
    server.close();
    await once(server, 'close');
    if (!handedOut.has(port)) {
      handedOut.add(port);
      return port;
    }
  }
}

/** Calls `probe` until it returns something true; throws what was last wrong when time is up. */
export async function until(probe, { timeout = 10_000, every = 20, what = 'the condition' } = {}) {
  const end = Date.now() + timeout;
  let problem;
  while (Date.now() < end) {
    try {
      const value = await probe();
      if (value) return value;
      problem = undefined;
    } catch (error) {
      if (error.fatal) throw error;
      problem = error;
    }
    await delay(every);
  }
  throw new Error(`${what}: not within ${timeout} ms${problem ? ` (${problem.message})` : ''}`);
}

export async function listening(port, host = '127.0.0.1') {
  const socket = net.connect(port, host);
  try {
    await once(socket, 'connect');
    return true;
  } finally {
    socket.destroy();
  }
}

/**
 * All processes below `pid`, and those of its session that outlived their parents:
 * [{ pid, parent, session, name }]; `name` is the executable's.
 */
export function descendants(pid) {
  const all = [];
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const found = describe(Number(entry));
    if (found) all.push(found);
  }
  const below = all.filter((one) => one.session === pid && one.pid !== pid);
  for (let parents = [pid]; parents.length > 0;) {
    const level = all.filter((one) => parents.includes(one.parent));
    below.push(...level.filter((one) => !below.includes(one)));
    parents = level.map((one) => one.pid);
  }
  return below;
}

function describe(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const after = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (after[0] === 'Z' || after[0] === 'X') return null;
    return { pid, parent: Number(after[1]), session: Number(after[3]), name: executableName(pid, stat) };
  } catch {
    return null; // gone meanwhile
  }
}

// A process that dropped its rights hides its executable from us; its command line it does not.
function executableName(pid, stat) {
  try {
    return basename(readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, ''));
  } catch {
    const first = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0];
    return first ? basename(first) : stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
  }
}

function signal(pid, name) {
  try {
    process.kill(pid, name);
  } catch {
    // gone already
  }
}

/** A program started by a story, with what it wrote. */
export class Program {
  constructor(command, args, { env = {}, cwd, input } = {}) {
    this.command = command;
    this.output = '';
    this.exit = null;
    this.child = nodeSpawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      detached: true,
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    this.pid = this.child.pid;
    running.add(this);
    if (input !== undefined) {
      this.child.stdin.on('error', () => {}); // it may end without reading
      this.child.stdin.end(input);
    }
    this.streams = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr']) {
      this.child[name].setEncoding('utf8').on('data', (text) => {
        this.output += text;
        this.streams[name] += text;
      });
    }
    this.child.unref();
    this.child.stdout.unref();
    this.child.stderr.unref();
    this.exited = new Promise((resolve) => {
      this.child.once('error', (error) => resolve(this.ended({ code: null, signal: null, error })));
      this.child.once('exit', (code, name) => resolve(this.ended({ code, signal: name })));
    });
    this.closed = new Promise((resolve) => {
      this.child.once('error', () => resolve());
      this.child.once('close', () => resolve());
    });
  }

  ended(how) {
    this.exit = how;
    return how;
  }

  /** Waits until it ends by itself. `exited` alone does not keep Node from ending before that. */
  async ends(timeout = 60_000) {
    const timer = new AbortController();
    const late = delay(timeout, 'late', { signal: timer.signal }).catch(() => undefined);
    const how = await Promise.race([this.exited, late]);
    timer.abort();
    if (how === 'late') throw new Error(`process ${this.pid} did not end within ${timeout} ms`);
    return how;
  }

  killTree() {
    const below = this.pid ? descendants(this.pid) : [];
    if (this.pid && this.exit === null) signal(-this.pid, 'SIGKILL');
    for (const { pid } of below) signal(pid, 'SIGKILL');
  }

  /** Asks it to end, and kills it when it does not in time. Returns { code, signal, killed }. */
  async stop(name = 'SIGTERM', timeout = 10_000) {
    if (this.exit === null && this.pid) signal(this.pid, name);
    const timer = new AbortController();
    const late = delay(timeout, 'late', { signal: timer.signal }).catch(() => undefined);
    const first = await Promise.race([this.exited, late]);
    timer.abort();
    if (first === 'late') {
      this.killTree();
      await Promise.race([this.exited, delay(5000)]);
    }
    await Promise.race([this.closed, delay(1000)]);
    running.delete(this);
    return { ...this.exit, killed: first === 'late' };
  }
}

/** Runs a program to its end: { code, signal, stdout, stderr }. */
export async function run(command, args, { timeout = 30_000, ...options } = {}) {
  const program = new Program(command, args, options);
  const timer = setTimeout(() => program.killTree(), timeout);
  const how = await program.exited;
  if (!how.error) await Promise.race([program.closed, delay(1000)]);
  clearTimeout(timer);
  running.delete(program);
  if (how.error) throw how.error;
  return { code: how.code, signal: how.signal, ...program.streams };
}
