// SPDX-License-Identifier: ISC
// A real PostgreSQL in a temporary folder, on a port and a Unix socket of its own, never as root.
//
//   const postgres = await startPostgres({ tls: true, settings: { max_connections: 20 } });
//   … postgres.url(), await postgres.sql('SELECT 1'), await postgres.rows('SELECT * FROM accounts')
//   await postgres.stop();                    // fast; 'immediate' as after a power cut
//   postgres.kill(); postgres.freeze(); postgres.thaw(); await postgres.start();
//   const standby = await postgres.standby(); await standby.promote();
//
// Nothing is synced to the disk: what a power cut would do is shown by stop('immediate') and by kill().
import { spawnSync } from 'node:child_process';
import { appendFileSync, chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeAuthority } from './certificate.mjs';
import { atEnd, descendants, freePort, Program, run, temporaryFolder, until } from './process.mjs';

export const ROLE = 'stayd';
export const ROLE_PASSWORD = 'wharf-lantern-58';
const SUPERUSER = 'postgres';
const memory = new Set(); // System V segments that a killed server leaves behind

process.on('exit', () => memory.forEach((id) => spawnSync('ipcrm', ['-m', id])));

/** Where the server's programs lie; Debian keeps them off the path. */
function binFolder() {
  const asked = spawnSync('pg_config', ['--bindir'], { encoding: 'utf8' }).stdout?.trim();
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => b - a).map((one) => join(debian, one, 'bin')) : [];
  const found = [asked, ...versions, '/usr/bin'].find((folder) => folder && existsSync(join(folder, 'initdb')));
  if (!found) throw new Error('PostgreSQL\'s initdb is not there');
  return found;
}

const program = (name) => join(binFolder(), name);

/** The user that the server runs as when the story runs as root: { uid, gid }, or null. */
function serverUser() {
  if (process.getuid() !== 0) return null;
  const users = readFileSync('/etc/passwd', 'utf8').split('\n').map((line) => line.split(':'));
  const [, , uid, gid] = users.find(([name]) => name === 'postgres') ?? users.find(([name]) => name === 'nobody');
  return { uid: Number(uid), gid: Number(gid) };
}

/** The command, as the server's user. */
export function unprivileged(command, ...args) {
  const user = serverUser();
  return user ? ['setpriv', [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups', '--', command, ...args]] : [command, args];
}

/** Gives files to the server's user. */
export function handOver(...paths) {
  const user = serverUser();
  for (const path of user ? paths : []) chownSync(path, user.uid, user.gid);
}

async function runUnprivileged(command, ...args) {
  const done = await run(...unprivileged(command, ...args), { cwd: '/', timeout: 120_000, env: { LC_ALL: 'C' } });
  if (done.code !== 0) throw new Error(`${command}: exit ${done.code}\n${done.stdout}${done.stderr}`);
  return done.stdout;
}

/** A file system of its own, so that it can be full; null where none can be mounted. */
export async function smallDisk(size) {
  const folder = temporaryFolder('disk');
  if (process.getuid() !== 0) return null;
  const { code } = await run('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=755`, 'stayd-story', folder]);
  if (code !== 0) return null;
  atEnd(() => run('umount', ['-l', folder]));
  process.on('exit', () => spawnSync('umount', ['-l', folder], { stdio: 'ignore' }));
  handOver(folder);
  return folder;
}

const quoted = (value) => `'${String(value).replaceAll('\'', '\'\'')}'`;

const SETTINGS = {
  listen_addresses: '127.0.0.1',
  max_connections: 60,
  shared_buffers: '64MB',
  fsync: 'off',
  synchronous_commit: 'on',
  dynamic_shared_memory_type: 'mmap', // in the folder, where nothing stays behind
  wal_level: 'replica',
  max_wal_senders: 4,
  max_wal_size: '2GB',
  timezone: 'UTC',
  lc_messages: 'C',
  log_line_prefix: '%m [%p] %q%u@%d ',
};

export class Postgres {
  constructor({ folder, data, port, certificate, authority }) {
    Object.assign(this, { folder, data, port, certificate, authority, program: null, earlier: '' });
  }

  get log() {
    return this.earlier + (this.program?.output ?? '');
  }

  get pid() {
    return this.program?.pid;
  }

  /** For `database = …`. query: parameters of the URL; hosts: [port or 'host:port', …] instead of this server's. */
  url({ user = ROLE, password, database = 'stayd', hosts = [this.port], ...query } = {}) {
    const places = hosts.map((one) => (typeof one === 'number' ? `127.0.0.1:${one}` : one)).join(',');
    const words = new URLSearchParams(query).toString();
    return `postgres://${user}${password ? `:${encodeURIComponent(password)}` : ''}@${places}/${database}${words ? `?${words}` : ''}`;
  }

  /** The keys of a configuration that name this database; the password's file lies in `folder`. Options: of url(). */
  config({ folder, password = ROLE_PASSWORD, ...options }) {
    const file = join(folder, 'database-password');
    writeFileSync(file, `${password}\n`, { mode: 0o600 });
    return { database: this.url(options), database_password_file: file };
  }

  async start() {
    const mark = new RegExp('database system is ready to accept (?:read-only )?connections');
    this.earlier = this.log;
    this.program = new Program(...unprivileged(program('postgres'), '-D', this.data), { cwd: '/' });
    try {
      await until(() => {
        if (this.program.exit) throw Object.assign(new Error('postgres ended'), { fatal: true });
        return mark.test(this.program.output);
      }, { timeout: 60_000, what: 'PostgreSQL ready' });
    } catch (error) {
      throw new Error(`${error.message}\n${this.program.output.slice(-3000)}`);
    }
    memory.add(readFileSync(join(this.data, 'postmaster.pid'), 'utf8').split('\n')[6].trim().split(/\s+/)[1]);
    return this;
  }

  /** 'fast' ends sessions and writes everything; 'immediate' leaves recovery to the next start; 'smart' waits for clients. */
  async stop(how = 'fast') {
    const { program: running } = this;
    if (!running || running.exit) return;
    this.thaw();
    await running.stop({ smart: 'SIGTERM', fast: 'SIGINT', immediate: 'SIGQUIT' }[how], 20_000);
  }

  async restart(how) {
    await this.stop(how);
    return this.start();
  }

  /** Every process of it at once, by SIGKILL. */
  async kill() {
    this.thaw();
    this.program.killTree();
    await until(() => this.program.exit, { what: 'PostgreSQL killed' });
  }

  #all(signal) {
    const all = this.pid && !this.program.exit ? [this.pid, ...descendants(this.pid).map(({ pid }) => pid)] : [];
    for (const pid of all) {
      try {
        process.kill(pid, signal);
      } catch {
        // ended meanwhile
      }
    }
  }

  /** The kernel still takes connections; nobody answers. */
  freeze() {
    this.#all('SIGSTOP');
    this.#all('SIGSTOP'); // what was born in between
  }

  thaw() {
    this.#all('SIGCONT');
  }

  /** Runs SQL as the superuser over the Unix socket; what it printed, columns divided by "|". */
  async sql(text, { database = 'stayd', user = SUPERUSER, timeout = 60_000 } = {}) {
    const args = ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-h', this.folder, '-p', this.port, '-U', user, '-d', database];
    const done = await run('psql', args.map(String), { input: text, timeout, env: { PGCONNECT_TIMEOUT: '5' } });
    if (done.code !== 0) throw new Error(`psql: ${done.stderr || `exit ${done.code}`}`);
    return done.stdout.trim();
  }

  /** The rows of one SELECT (or INSERT … RETURNING) as objects. */
  async rows(text, options) {
    return JSON.parse(await this.sql(`WITH r AS (${text}) SELECT coalesce(json_agg(r), '[]') FROM r`, options));
  }

  /**
   * Runs SQL in a session that stays (after BEGIN: with its locks); returns the function that ends it.
   * through: a PgBouncer, as the role "stayd".
   */
  async hold(text, { database = 'stayd', user = SUPERUSER, through } = {}) {
    const name = `story-${process.pid}-${Math.random().toString(36).slice(2)}`;
    const place = through ? ['127.0.0.1', through.port, ROLE] : [this.folder, this.port, user];
    const holder = new Program('psql', ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-h', place[0], '-p', String(place[1]), '-U', place[2],
      '-d', database], { input: `${text};\n\\echo held\nSELECT pg_sleep(3600);\n`, env: { PGAPPNAME: name, PGPASSWORD: ROLE_PASSWORD } });
    await until(() => {
      if (holder.exit) throw Object.assign(new Error(`psql: ${holder.output}`), { fatal: true });
      return /^held$/m.test(holder.output);
    }, { timeout: 60_000, what: 'SQL that holds' });
    return async () => {
      await this.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '${name}'`, { database: 'postgres' });
      await holder.stop();
    };
  }

  /** Changes settings for good, and reads them again. */
  async set(settings) {
    const lines = Object.entries(settings).map(([name, value]) => `ALTER SYSTEM SET ${name} = ${quoted(value)};`);
    await this.sql(`${lines.join('\n')}\nSELECT pg_reload_conf();`, { database: 'postgres' });
  }

  async createDatabase(name, { owner = ROLE } = {}) {
    await this.sql(`CREATE DATABASE ${name} OWNER ${owner}`, { database: 'postgres' });
  }

  /** How many connections the role has: [{ application_name, state, … }]. */
  connections(role = ROLE) {
    return this.rows(`SELECT pid, application_name, state, query, wait_event_type FROM pg_stat_activity WHERE usename = ${quoted(role)}`,
      { database: 'postgres' });
  }

  /** A standby by streaming, which has all that was committed until now. */
  async standby() {
    const folder = serverFolder();
    const other = new Postgres({ folder, data: join(folder, 'data'), port: await freePort(), certificate: this.certificate, authority: this.authority });
    await runUnprivileged(program('pg_basebackup'), '-D', other.data, '-R', '-X', 'stream', '-c', 'fast', '--no-sync', '-h', this.folder,
      '-p', String(this.port), '-U', SUPERUSER);
    other.configure({ port: other.port, unix_socket_directories: folder, hot_standby: 'on' });
    atEnd(() => other.stop('immediate'));
    await other.start();
    await other.caughtUp(this);
    return other;
  }

  configure(settings) {
    appendFileSync(join(this.data, 'postgresql.conf'), Object.entries(settings).map(([name, value]) => `${name} = ${quoted(value)}\n`).join(''));
  }

  /** Waits until this standby has replayed all that the primary has written. */
  async caughtUp(primary) {
    const at = await primary.sql('SELECT pg_current_wal_lsn()', { database: 'postgres' });
    await until(async () => (await this.sql(`SELECT pg_last_wal_replay_lsn() >= '${at}'`, { database: 'postgres' })) === 't', {
      timeout: 20_000, what: 'a standby that caught up' });
  }

  /** From here on the standby receives nothing: what is committed later is the tail that a failover loses. */
  async detach() {
    await this.set({ primary_conninfo: '' });
    await until(async () => (await this.sql('SELECT count(*) FROM pg_stat_wal_receiver', { database: 'postgres' })) === '0', {
      what: 'a standby that is on its own' });
  }

  async promote() {
    await this.sql('SELECT pg_promote(true, 30)', { database: 'postgres' });
  }

  /** All bytes of a database as they lie on the disk. */
  bytes(database = 'stayd') {
    const asked = (text) => spawnSync('psql', ['-X', '-A', '-t', '-h', this.folder, '-p', String(this.port), '-U', SUPERUSER, '-d', database, '-c', text],
      { encoding: 'utf8' }).stdout.trim();
    asked('CHECKPOINT');
    const base = join(this.data, 'base', asked('SELECT oid FROM pg_database WHERE datname = current_database()'));
    return Buffer.concat(readdirSync(base).map((name) => readFileSync(join(base, name))));
  }
}

function serverFolder() {
  const folder = temporaryFolder('pg'); // short: a socket's path has 107 bytes
  handOver(folder);
  return folder;
}

/**
 * A new cluster with the role and the database "stayd".
 * tls: true for https' like (own authority: postgres.authority.certificate), 'only' to take nothing else.
 * disk: the size of a file system of its own for the data (not the log): postgres.disk, null where it can't be had.
 */
export async function startPostgres({ settings = {}, tls = false, disk, password = ROLE_PASSWORD } = {}) {
  const folder = serverFolder();
  const mounted = disk && await smallDisk(disk);
  const data = join(mounted || folder, 'data');
  const port = await freePort();
  await runUnprivileged(program('initdb'), '-D', data, '-U', SUPERUSER, '-A', 'trust', '--no-sync', '-E', 'UTF8', '--locale=C.UTF-8',
    ...(mounted ? ['-X', join(folder, 'wal')] : []));
  const authority = tls ? await makeAuthority() : undefined;
  const postgres = new Postgres({ folder, data, port, authority });
  postgres.disk = mounted;
  if (tls) await postgres.serveTls();
  postgres.configure({ ...SETTINGS, port, unix_socket_directories: folder, ...settings });
  writeFileSync(join(data, 'pg_hba.conf'), `local all ${SUPERUSER} trust\nlocal replication ${SUPERUSER} trust\n`
    + `${tls === 'only' ? 'hostssl' : 'host'} all all 127.0.0.1/32 scram-sha-256\nlocal all all scram-sha-256\n`);
  chmodSync(folder, 0o700);
  atEnd(() => postgres.stop('immediate'));
  await postgres.start();
  await postgres.sql(`CREATE ROLE ${ROLE} LOGIN PASSWORD ${quoted(password)}; CREATE DATABASE stayd OWNER ${ROLE};`.replace('; ', ';\n'),
    { database: 'postgres' });
  return postgres;
}

Postgres.prototype.serveTls = async function serveTls(names = ['localhost', '127.0.0.1']) {
  const own = await this.authority.sign(names);
  const [certificate, key] = [join(this.folder, 'server.pem'), join(this.folder, 'server.key')];
  writeFileSync(certificate, readFileSync(own.certificate));
  writeFileSync(key, readFileSync(own.key), { mode: 0o600 });
  handOver(certificate, key);
  this.configure({ ssl: 'on', ssl_cert_file: certificate, ssl_key_file: key });
};

/**
 * PgBouncer in front of it, by default as most have it: transactions, no prepared statements.
 * settings: keys of its [pgbouncer] section.
 */
export async function startPgbouncer(postgres, { settings = {}, password = ROLE_PASSWORD } = {}) {
  const folder = serverFolder();
  const port = await freePort();
  const all = {
    listen_addr: '127.0.0.1', listen_port: port, unix_socket_dir: folder, auth_type: 'scram-sha-256', auth_file: join(folder, 'users.txt'),
    pool_mode: 'transaction', default_pool_size: 10, max_client_conn: 200, server_login_retry: 1, admin_users: ROLE, ...settings,
  };
  writeFileSync(join(folder, 'users.txt'), `"${ROLE}" "${password}"\n`);
  writeFileSync(join(folder, 'pgbouncer.ini'), `[databases]\n* = host=127.0.0.1 port=${postgres.port}\n[pgbouncer]\n${
    Object.entries(all).map(([name, value]) => `${name} = ${value}\n`).join('')}`);
  handOver(join(folder, 'users.txt'), join(folder, 'pgbouncer.ini'));
  const command = existsSync('/usr/sbin/pgbouncer') ? '/usr/sbin/pgbouncer' : 'pgbouncer';
  const bouncer = new Program(...unprivileged(command, join(folder, 'pgbouncer.ini')), { cwd: '/' });
  await until(() => {
    if (bouncer.exit) throw Object.assign(new Error(`pgbouncer ended: ${bouncer.output}`), { fatal: true });
    return /process up/.test(bouncer.output);
  }, { what: 'PgBouncer up' });
  return {
    postgres, port, folder, program: bouncer,
    get log() { return bouncer.output; },
    url: (options) => postgres.url({ hosts: [port], ...options }),
    stop: () => bouncer.stop('SIGINT'),
  };
}
