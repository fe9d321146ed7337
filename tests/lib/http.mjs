// SPDX-License-Identifier: ISC
// Two ways to talk HTTP: exact bytes over a socket, and a small client with cookies.
//
//   const { responses } = await raw(port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
//   const client = new Client(server.url);
//   const answer = await client.post('/api/v1/login', { json: { username, password } });
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import tls from 'node:tls';
import { setTimeout as delay } from 'node:timers/promises';

/** What a server must not send: thrown by the strict reader. */
export class MalformedResponse extends Error {}

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/**
 * Reads the responses in `bytes` strictly; `methods` are the requests' in order, for HEAD.
 * Returns { responses, rest }: what is incomplete stays in rest.
 */
export function parseResponses(bytes, { methods = [], closed = false } = {}) {
  const responses = [];
  let at = 0;
  let finals = 0;
  while (at < bytes.length) {
    const read = parseResponse(bytes.subarray(at), methods[finals] ?? 'GET', closed);
    if (!read) break;
    at += read.length;
    responses.push(read.response);
    if (read.response.status >= 200) finals += 1;
  }
  return { responses, rest: bytes.subarray(at) };
}

function parseResponse(bytes, method, closed) {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const head = bytes.subarray(0, end).toString('latin1');
  const [statusLine, ...lines] = head.split('\r\n');
  if (/[\r\n\0]/.test(lines.join('')) || /[\r\n\0]/.test(statusLine)) throw new MalformedResponse('bare CR, LF or NUL');
  const found = /^HTTP\/1\.1 ([1-5]\d\d) ([\t\x20-\x7e]*)$/.exec(statusLine);
  if (!found) throw new MalformedResponse(`status line ${JSON.stringify(statusLine)}`);
  const status = Number(found[1]);
  const { headers, rawHeaders } = parseFields(lines);
  const body = parseBody(bytes.subarray(end + 4), { status, method, headers, closed });
  if (!body) return null;
  const response = { status, reason: found[2], headers, rawHeaders, body: body.content, text: body.content.toString() };
  return { response, length: end + 4 + body.length };
}

function parseFields(lines) {
  const headers = {};
  const rawHeaders = [];
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon);
    if (colon < 1 || !TOKEN.test(name)) throw new MalformedResponse(`header ${JSON.stringify(line)}`);
    const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '');
    rawHeaders.push([name, value]);
    addHeader(headers, name.toLowerCase(), value);
  }
  return { headers, rawHeaders };
}

function addHeader(headers, name, value) {
  if (name === 'set-cookie') (headers[name] ??= []).push(value);
  else if (name in headers && /^(content-length|transfer-encoding|location|content-type)$/.test(name)) {
    throw new MalformedResponse(`${name} twice`);
  } else headers[name] = name in headers ? `${headers[name]}, ${value}` : value;
}

/** { content, length } of a body, or null while it is incomplete. */
function parseBody(bytes, { status, method, headers, closed }) {
  const length = headers['content-length'];
  const coding = headers['transfer-encoding'];
  if (length !== undefined && coding !== undefined) throw new MalformedResponse('both lengths');
  if (length !== undefined && !/^(0|[1-9]\d*)$/.test(length)) throw new MalformedResponse(`content-length ${length}`);
  if (status < 200 || status === 204 || status === 304 || method === 'HEAD') {
    if (status < 200 && (length ?? coding) !== undefined) throw new MalformedResponse('a body in 1xx');
    return { content: Buffer.alloc(0), length: 0 };
  }
  if (coding !== undefined) {
    if (coding.toLowerCase() !== 'chunked') throw new MalformedResponse(`transfer-encoding ${coding}`);
    return parseChunks(bytes);
  }
  if (length === undefined) return closed ? { content: bytes, length: bytes.length } : null;
  const size = Number(length);
  return bytes.length < size ? null : { content: bytes.subarray(0, size), length: size };
}

function parseChunks(bytes) {
  const parts = [];
  for (let at = 0; ;) {
    const end = bytes.indexOf('\r\n', at);
    if (end < 0) return null;
    const line = bytes.subarray(at, end).toString('latin1');
    if (!/^[0-9a-fA-F]{1,8}$/.test(line)) throw new MalformedResponse(`chunk size ${JSON.stringify(line)}`);
    const size = parseInt(line, 16);
    at = end + 2;
    if (bytes.length < at + size + 2) return null;
    if (bytes.subarray(at + size, at + size + 2).toString('latin1') !== '\r\n') throw new MalformedResponse('chunk end');
    if (size === 0) return { content: Buffer.concat(parts), length: at + 2 };
    parts.push(bytes.subarray(at, at + size));
    at += size + 2;
  }
}

/** A socket with all that came in, for tests that talk step by step. */
export class Connection {
  constructor(socket, connectEvent) {
    this.socket = socket;
    this.bytes = Buffer.alloc(0);
    this.closed = false; // the server has ended its side, or reset
    this.error = null;
    this.arrived = new EventTarget();
    const wake = () => this.arrived.dispatchEvent(new Event('change'));
    socket.on('data', (part) => {
      this.bytes = Buffer.concat([this.bytes, part]);
      wake();
    });
    for (const name of ['end', 'close']) {
      socket.on(name, () => {
        this.closed = true;
        wake();
      });
    }
    socket.on('error', (error) => {
      this.error = error;
      this.closed = true;
      wake();
    });
    this.connected = once(socket, connectEvent).catch((error) => {
      throw error;
    });
  }

  /** to: a port, { port, host }, or { path } of a Unix socket; tls: options of tls.connect. */
  static async open(to, { tls: secure, host = '127.0.0.1' } = {}) {
    const address = typeof to === 'object' ? { host, ...to } : { port: Number(to), host };
    if (address.path) delete address.host;
    const connection = secure
      ? new Connection(tls.connect({ ...address, rejectUnauthorized: false, ...secure }), 'secureConnect')
      : new Connection(net.connect({ ...address, allowHalfOpen: true }), 'connect');
    await connection.connected;
    connection.socket.setNoDelay?.(true);
    return connection;
  }

  send(bytes) {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
    return this;
  }

  end() {
    this.socket.end();
    return this;
  }

  read(methods) {
    return parseResponses(this.bytes, { methods, closed: this.closed });
  }

  /** Waits until `done(this)` holds; on time-out it returns false. */
  async wait(done, timeout = 5000) {
    const end = Date.now() + timeout;
    while (!done(this)) {
      const left = end - Date.now();
      if (left <= 0) return false;
      const stop = new AbortController();
      await Promise.race([
        once(this.arrived, 'change', { signal: stop.signal }).catch(() => undefined),
        delay(left, undefined, { signal: stop.signal }).catch(() => undefined),
      ]);
      stop.abort();
    }
    return true;
  }

  /** Waits for `count` final responses (or the close) and returns those there are. */
  async responses(count = 1, { methods, timeout = 5000 } = {}) {
    const finals = () => this.read(methods).responses.filter(({ status }) => status >= 200);
    await this.wait(() => this.closed || finals().length >= count, timeout);
    return finals();
  }

  close() {
    this.socket.destroy();
  }
}

/**
 * Sends exact bytes (a list: with a pause between) and reads until `count` responses are
 * there, or the server closes, or time is up.
 * Returns { responses, rest, closed, error, bytes }; responses include 1xx.
 */
export async function raw(to, bytes, { count = Infinity, timeout = 2000, methods, tls: secure, pause = 20, halfClose = false } = {}) {
  const connection = await Connection.open(to, { tls: secure });
  try {
    for (const part of Array.isArray(bytes) ? bytes : [bytes]) {
      connection.send(part);
      if (Array.isArray(bytes)) await delay(pause);
    }
    if (halfClose) connection.end();
    await connection.responses(count, { methods, timeout });
    const { closed, error, bytes: all } = connection;
    return { ...connection.read(methods), closed, error, bytes: all };
  } finally {
    connection.close();
  }
}

/** Cookies as a browser keeps them, as far as the stories need it. */
export class CookieJar {
  constructor() {
    this.cookies = [];
  }

  store(url, header) {
    const [pair, ...rest] = header.split(';').map((part) => part.trim());
    const equals = pair.indexOf('=');
    const attributes = Object.fromEntries(rest.map((part) => {
      const [key, ...value] = part.split('=');
      return [key.toLowerCase(), value.join('=')];
    }));
    const cookie = {
      name: pair.slice(0, equals),
      value: pair.slice(equals + 1),
      domain: attributes.domain?.replace(/^\./, '').toLowerCase(),
      host: url.hostname,
      path: attributes.path || '/',
      secure: 'secure' in attributes,
      httpOnly: 'httponly' in attributes,
      sameSite: attributes.samesite,
      header,
    };
    if (!acceptable(cookie, url)) return;
    this.cookies = this.cookies.filter((one) => !sameCookie(one, cookie));
    const age = 'max-age' in attributes ? Number(attributes['max-age']) * 1000
      : 'expires' in attributes ? Date.parse(attributes.expires) - Date.now() : Infinity;
    if (age > 0) this.cookies.push(cookie);
  }

  /** The Cookie header for a URL, or undefined. */
  header(url) {
    const sent = this.cookies.filter((cookie) => goesTo(cookie, url));
    return sent.length ? sent.map(({ name, value }) => `${name}=${value}`).join('; ') : undefined;
  }

  get(name) {
    return this.cookies.find((cookie) => cookie.name === name);
  }

  set(url, name, value) {
    this.store(new URL(url), `${name}=${value}; Path=/`);
  }

  clear() {
    this.cookies = [];
  }
}

const sameCookie = (a, b) => a.name === b.name && a.path === b.path && (a.domain ?? a.host) === (b.domain ?? b.host);

// RFC 6265bis: the prefixes, and a Domain that covers the host which set it.
function acceptable(cookie, url) {
  const secure = url.protocol === 'https:';
  if (cookie.secure && !secure) return false;
  if (cookie.name.startsWith('__Host-') && (!cookie.secure || cookie.domain || cookie.path !== '/')) return false;
  if (cookie.name.startsWith('__Secure-') && !cookie.secure) return false;
  return !cookie.domain || covers(cookie.domain, url.hostname);
}

const covers = (domain, host) => host === domain || host.endsWith(`.${domain}`);

function goesTo(cookie, url) {
  if (cookie.secure && url.protocol !== 'https:') return false;
  if (cookie.domain ? !covers(cookie.domain, url.hostname) : cookie.host !== url.hostname) return false;
  const path = cookie.path.replace(/\/$/, '');
  return url.pathname === path || url.pathname.startsWith(`${path}/`);
}

/**
 * A client with cookies. base: the origin of relative paths. connect: { host, port } or
 * { socketPath }, to talk to a server under another name than its own. headers: with every
 * request. agent: for keep-alive (default: a connection a request). Redirects are not followed
 * but by `follow`. Like a browser it sends Origin with POST and the like; `origin: null` doesn't.
 */
export class Client {
  constructor(base, { connect, headers = {}, agent = false, jar = new CookieJar(), tls: secure = {} } = {}) {
    Object.assign(this, { base, connect, headers, agent, jar, secure });
  }

  get(path, options) {
    return this.request('GET', path, options);
  }

  head(path, options) {
    return this.request('HEAD', path, options);
  }

  post(path, options) {
    return this.request('POST', path, options);
  }

  delete(path, options) {
    return this.request('DELETE', path, options);
  }

  async request(method, path, { follow = 0, ...options } = {}) {
    const url = new URL(path, this.base);
    const answer = await this.once(method, url, options);
    if (follow === 0 || !answer.headers.location || ![301, 302, 303, 307, 308].includes(answer.status)) return answer;
    const keeps = answer.status === 307 || answer.status === 308 || method === 'HEAD';
    return this.request(keeps ? method : 'GET', new URL(answer.headers.location, url).href, {
      ...(keeps ? options : {}), headers: options.headers, follow: follow - 1,
    });
  }

  once(method, url, { headers = {}, form, json, body, origin, timeout = 15_000, cookies = true } = {}) {
    const { content, type } = encode({ form, json, body });
    const sent = { ...this.headers };
    if (type) sent['content-type'] = type;
    if (content !== undefined) sent['content-length'] = content.length;
    if (origin !== undefined ? origin !== null : !['GET', 'HEAD'].includes(method)) sent.origin = origin ?? url.origin;
    const cookie = cookies ? this.jar.header(url) : undefined;
    if (cookie) sent.cookie = cookie;
    for (const [name, value] of Object.entries(headers)) {
      if (value === null) delete sent[name.toLowerCase()];
      else sent[name.toLowerCase()] = value;
    }
    return new Promise((resolve, reject) => {
      const request = (url.protocol === 'https:' ? https : http).request({
        method,
        host: url.hostname.replace(/^\[|\]$/g, ''),
        port: url.port || (url.protocol === 'https:' ? 443 : 80),
        path: url.pathname + url.search,
        agent: this.agent,
        servername: net.isIP(url.hostname) ? undefined : url.hostname,
        rejectUnauthorized: false,
        ...this.secure,
        ...this.connect,
        headers: { host: url.host, ...sent },
        timeout,
      });
      request.once('timeout', () => request.destroy(new Error(`${method} ${url}: no answer within ${timeout} ms`)));
      request.once('error', reject);
      request.once('response', (response) => this.collect(url, response).then(resolve, reject));
      request.end(content);
    });
  }

  async collect(url, response) {
    const parts = [];
    for await (const part of response) parts.push(part);
    for (const header of response.headers['set-cookie'] ?? []) this.jar.store(url, header);
    const body = Buffer.concat(parts);
    return {
      url: url.href,
      status: response.statusCode,
      headers: response.headers,
      rawHeaders: response.rawHeaders,
      body,
      text: body.toString(),
      json: () => JSON.parse(body.toString()),
    };
  }
}

function encode({ form, json, body }) {
  if (form) return { content: Buffer.from(new URLSearchParams(form).toString()), type: 'application/x-www-form-urlencoded' };
  if (json !== undefined) return { content: Buffer.from(JSON.stringify(json)), type: 'application/json' };
  return { content: body === undefined ? undefined : Buffer.from(body) };
}

/** The value of a form's hidden field in a page. */
export function hiddenField(html, name) {
  const input = [...html.matchAll(/<input\b[^>]*>/g)].map(([tag]) => tag)
    .find((tag) => new RegExp(`\\bname=["']?${name}["'\\s>]`).test(tag));
  const value = input && /\bvalue=(?:"([^"]*)"|'([^']*)'|([^\s>]+))/.exec(input);
  return value ? value[1] ?? value[2] ?? value[3] : undefined;
}
