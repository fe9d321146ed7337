// SPDX-License-Identifier: ISC
// What goes on now: /top.json, and stayctl top on a terminal, without one, while it is resized, and while
// stayd-watch or core is away.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { delimiter, dirname } from 'node:path';
import { before, test } from 'node:test';
import { Client } from './lib/http.mjs';
import { atEnd, descendants, run, until } from './lib/process.mjs';
import { executable, startStayd } from './lib/stayd.mjs';

const PASSWORD = 'seven quiet harbours';
let server;
let ops;
let signedIn;

before(async () => {
  server = await startStayd({ config: { fronts: 2, password_memory: '8MiB', password_time: 1 } });
  atEnd(() => server.stop());
  ops = new Client(server.opsUrl);
  await server.addUser('alice', PASSWORD);
  signedIn = new Client(server.url);
  const { status } = await signedIn.post('/api/v1/login', { json: { username: 'alice', password: PASSWORD } });
  assert.equal(status, 200);
});

/** Checks in the background until stop() is called. */
function checks() {
  let going = true;
  const done = (async () => {
    while (going) await signedIn.get('/auth/check');
  })();
  return { stop: () => { going = false; return done; } };
}

const topJson = async () => JSON.parse((await ops.get('/top.json')).text);

test('/top.json says what goes on', async () => {
  const load = checks();
  const top = await until(async () => {
    const now = await topJson();
    return now.classes.check.ok_per_second > 5 && now.history.checks.length >= 3 && now;
  }, { what: 'a rate of checks' });
  await load.stop();
  assert.ok(top.classes.check.p50_ms > 0 && top.classes.check.p50_ms <= top.classes.check.p99_ms);
  assert.equal(top.classes.check.failed_per_second, 0);
  assert.equal(top.ready, true);
  assert.deepEqual(Object.keys(top.classes), ['check', 'login', 'change', 'other']);
  assert.ok(top.stages.some(({ stage }) => stage === 'hash') && top.stages.some(({ stage }) => stage === 'residual'));
  assert.ok(top.resources.some(({ resource, full, limit }) => resource === 'connections' && full >= 0 && limit > 0));
  assert.equal(top.processes.filter(({ state }) => state === 'up').length, 8);
  for (const { process, pid, memory_bytes: memory, restarts } of top.processes) {
    assert.ok(pid > 0, process);
    assert.ok(memory > 0 || process === 'stayd', process);
    assert.equal(restarts, 0, process);
  }
  const lengths = Object.values(top.history).filter(Array.isArray).map((list) => list.length);
  assert.ok(lengths.length > 8 && lengths.every((length) => length === lengths[0]));
  assert.equal(top.sessions.live, 1);
  assert.equal(top.hash.workers > 0, true);
});

test('log-ins show where their time goes', async () => {
  const top = await until(async () => {
    await new Client(server.url).post('/api/v1/login', { json: { username: 'alice', password: PASSWORD } });
    const now = await topJson();
    return now.stages.find(({ stage }) => stage === 'hash').mean_ms > 0 && now.classes.login.p50_ms > 0 && now;
  }, { what: 'a stage of hashing' });
  const sum = top.stages.reduce((all, { share }) => all + share, 0);
  assert.ok(Math.abs(sum - 1) < 0.01, `${sum}`);
});

test('without a terminal: one plain screen; --json; what is wrong on the command line', async () => {
  for (const args of [[], ['--once']]) {
    const { code, stdout } = await server.ctl('top', ...args, { env: { LANG: 'C.UTF-8' } });
    assert.equal(code, 0);
    assert.doesNotMatch(stdout, /\x1b/);
    for (const part of [/^stayd \d/, /^check /m, /^login /m, /hash workers/, /^hashing {3}busy 0\/\d/m, /front 1 +up/]) assert.match(stdout, part);
    assert.ok(stdout.split('\n').every((line) => line.length <= 100), stdout);
  }
  assert.equal((await server.ctlJson('top')).ready, true);
  assert.equal((await server.ctl('top', '--interval', 'soon')).code, 2);
});

// A terminal: argv[1] is run on it, what it writes goes to standard output, lines of standard input are keys, or
// "size COLUMNS ROWS".
const TERMINAL = `
import fcntl, os, pty, select, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    os.execvp("sh", ["sh", "-c", sys.argv[1]])
inputs = [fd, 0]
while True:
    ready = select.select(inputs, [], [])[0]
    if 0 in ready:
        line = os.read(0, 100).decode().strip()
        if line.startswith("size "):
            columns, rows = map(int, line.split()[1:])
            fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        elif line:
            os.write(fd, line.encode())
        else:
            inputs = [fd]
    if fd in ready:
        try:
            data = os.read(fd, 65536)
        except OSError:
            break
        os.write(1, data)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;

function onTerminal(columns, rows, env, ...args) {
  const command = [executable('stayctl'), '-c', server.configFile, 'top', ...args].map((word) => `'${word}'`).join(' ');
  const child = spawn('python3', ['-c', TERMINAL, `stty cols ${columns} rows ${rows}; exec ${command}`],
    { env: { ...process.env, TERM: 'xterm', LANG: 'C.UTF-8', ...env }, stdio: ['pipe', 'pipe', 'inherit'] });
  const terminal = { pid: child.pid, output: '', exit: null, type: (line) => child.stdin.write(`${line}\n`) };
  child.stdout.setEncoding('utf8').on('data', (text) => { terminal.output += text; });
  child.once('exit', (code) => { terminal.exit = { code }; });
  atEnd(() => child.kill('SIGKILL'));
  return terminal;
}

/** The last screen that is whole: lines without escapes. */
const lastScreen = (output) => output.split('\x1b[H').at(-2).replace(/\x1b\[[\d;?]*[A-Za-z]/g, '').split(/\r*\n/);

test('on a terminal: it draws again, fits, and leaves everything as it was on SIGTERM', async () => {
  const program = onTerminal(80, 24, {}, '--interval', '200ms');
  await until(() => program.output.split('\x1b[H').length > 4, { what: 'four screens' });
  const lines = lastScreen(program.output);
  assert.ok(lines.length <= 24, `${lines.length} lines`);
  assert.ok(lines.every((line) => line.length <= 80), lines.join('\n'));
  assert.match(lines.at(-1), /q quits/);
  assert.match(program.output, /\x1b\[\?1049h/);
  assert.match(program.output, /\x1b\[0;32m/); // a colour
  const [{ pid }] = descendants(program.pid).filter(({ name }) => name === 'stayctl');
  process.kill(pid, 'SIGTERM');
  assert.equal((await until(() => program.exit, { what: 'its end' })).code, 0);
  assert.ok(program.output.trimEnd().endsWith('\x1b[?1049l'), 'the terminal is given back');
});

test('it follows the terminal\'s size; q ends it', async () => {
  const program = onTerminal(80, 24, {}, '--interval', '1h');
  await until(() => program.output.includes('q quits'), { what: 'a screen' });
  program.type('size 140 50');
  const lines = await until(() => {
    const { output } = program;
    return output.split('\x1b[H').length > 2 && output.endsWith('\x1b[J') && `${output}\x1b[H`.split('\x1b[H').at(-2)
      .replace(/\x1b\[[\d;?]*[A-Za-z]/g, '').split(/\r*\n/);
  }, { what: 'a screen of the new size' });
  assert.equal(lines.length, 50);
  assert.ok(lines.some((line) => line.length > 100) && lines.every((line) => line.length <= 140));
  program.type('q');
  assert.equal((await until(() => program.exit, { what: 'its end' })).code, 0);
  assert.ok(program.output.trimEnd().endsWith('\x1b[?1049l'), 'the terminal is given back');
});

test('NO_COLOR is honoured', async () => {
  const program = onTerminal(100, 30, { NO_COLOR: '1' }, '--once');
  assert.equal((await until(() => program.exit, { what: 'its end' })).code, 0);
  assert.doesNotMatch(program.output, /\x1b/);
  assert.match(program.output, /check/);
});

test('it answers while core hangs, and says when stayd-watch is away', async () => {
  server.kill('stayd-core', 'SIGSTOP');
  const { code, stdout } = await server.ctl('top', '--once');
  assert.equal(code, 0);
  assert.match(stdout, /^check/m);
  await until(async () => (await topJson()).processes.some(({ process, restarts }) => process === 'stayd-core' && restarts === 1),
    { timeout: 15_000, what: 'core counted as started again' });
  await server.ready();

  const program = onTerminal(90, 30, {}, '--interval', '100ms');
  await until(() => program.output.includes('q quits'), { what: 'a screen' });
  await server.stop();
  await until(() => program.output.includes('OLD FIGURES'), { timeout: 15_000, what: 'a word about it' });
  await server.start();
  await until(() => !lastScreen(program.output).join('\n').includes('OLD FIGURES'), { timeout: 15_000, what: 'figures again' });
  program.type('q');
  assert.equal((await until(() => program.exit, { what: 'its end' })).code, 0);
});

test('a stayd that does not run', async () => {
  const other = await startStayd();
  await other.stop();
  const { code, stderr } = await other.ctl('top');
  assert.equal(code, 3);
  assert.match(stderr, /stayd/);
});

test('docs/stayctl.md: the commands of "top"', async () => {
  const page = readFileSync(new URL('../docs/stayctl.md', import.meta.url), 'utf8');
  const [, block] = /^## top[\s\S]*?^```sh\n([\s\S]*?)^```$/m.exec(page);
  const env = { PATH: `${dirname(executable('stayctl'))}${delimiter}${process.env.PATH}`, STAYD_CONFIG: server.configFile };
  for (const line of block.trim().split('\n')) {
    const { code, stdout, stderr } = await run('sh', ['-c', line], { env });
    assert.equal(code, 0, `${line}\n${stdout}${stderr}`);
  }
});
