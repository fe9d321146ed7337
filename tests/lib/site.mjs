// SPDX-License-Identifier: ISC
// A proxy as docs/proxies/ sets it up, with stayd and an app behind it, on one port:
// https://auth.example.test is the log-in page, https://a.example.test and b.example.test the app.
//
//   const site = await startSite('nginx', { rules: [{ path: '/', allow: true }] });
//   const person = site.client('a');
//   await site.login(person);
//   site.app.requests.at(-1) …
import { chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { startApp } from './app.mjs';
import { startCaddy } from './caddy.mjs';
import { makeCertificate } from './certificate.mjs';
import { startHaproxy } from './haproxy.mjs';
import { Client } from './http.mjs';
import { startNginx } from './nginx.mjs';
import { freePort, temporaryFolder } from './process.mjs';
import { configKeys, recipe } from './recipe.mjs';
import { prepareStayd } from './stayd.mjs';

export const PASSWORD = 'torpid violin 83 cactus';

// What the harness does for each proxy: the recipe's names become those of this site.
const proxies = {
  nginx: {
    pairs: ({ port, folder, upstream }) => [
      ['127.0.0.1:8080', upstream ? `unix:${upstream}` : null],
      ['listen 443 ssl', `listen 127.0.0.1:${port} ssl`],
      ['$host$request_uri', '$host:$server_port$request_uri'],
      ['/etc/nginx/', `${folder}/`],
    ],
    start: ({ port, folder }) => startNginx(`include ${folder}/conf.d/*.conf;`, { port }),
  },
  caddy: {
    pairs: ({ port, certificate, upstream }) => [
      ['127.0.0.1:8080', upstream ? `unix/${upstream}` : null],
      ...['auth', 'a', 'b'].map((name) => [`${name}.example.com {`,
        `https://${name}.example.test:${port} {\n\ttls ${certificate.certificate} ${certificate.key}`]),
    ],
    start: ({ port, files }) => startCaddy(files['/etc/caddy/Caddyfile'], { port }),
  },
  haproxy: {
    pairs: ({ port, folder, certificate }) => [
      ['bind :443', `bind 127.0.0.1:${port}`],
      ['127.0.0.1:8080', null],
      ['/etc/ssl/example.com.pem', both(folder, certificate)],
      ['/etc/haproxy/', `${folder}/`],
    ],
    start: ({ port, folder }) => startHaproxy(join(folder, 'haproxy.cfg'), port),
  },
};

// HAProxy wants the certificate and its key in one file.
function both(folder, { certificate, key }) {
  const file = join(folder, 'both.pem');
  writeFileSync(file, readFileSync(certificate, 'utf8') + readFileSync(key, 'utf8'));
  return file;
}

/** config and rules: more for stayd.conf. unix: stayd listens on a Unix socket for the proxy. */
export async function startSite(name, { config = {}, rules = [], unix = false } = {}) {
  const [port, app, folder] = [await freePort(), await startApp(), temporaryFolder('site')];
  const certificate = await makeCertificate(['auth', 'a', 'b'].map((host) => `${host}.example.test`));
  const published = configKeys(recipe(name, [['example.com', 'example.test']])['/etc/stayd/stayd.conf']);
  const upstream = unix ? join(socketFolder(folder), 'stayd.sock') : undefined;
  const server = await prepareStayd({
    config: {
      cookie_domain: published.cookie_domain,
      public_url: `${published.public_url}:${port}`,
      trusted_proxies: unix ? 'unix' : published.trusted_proxies,
      ...config,
    },
    rules,
  });
  if (unix) server.reconfigure({ listen: [server.config.listen, `unix:${upstream}`] });
  const context = { port, folder, certificate, upstream };
  const pairs = [...proxies[name].pairs(context).map(([from, to]) => [from, to ?? `127.0.0.1:${server.port}`]),
    ['127.0.0.1:3000', `127.0.0.1:${app.port}`], ['/etc/ssl/example.com.pem', certificate.certificate],
    ['/etc/ssl/example.com.key', certificate.key], ['example.com', 'example.test']];
  const files = recipe(name, pairs);
  for (const [path, text] of Object.entries(files)) {
    const place = join(folder, path.replace(/^\/etc\/\w+\//, ''));
    mkdirSync(dirname(place), { recursive: true });
    writeFileSync(place, text);
  }
  await server.start();
  const proxy = await proxies[name].start({ ...context, files });
  return new Site({ name, port, app, server, proxy, certificate, upstream });
}

// As the page of nginx says: the folder's group is the proxy's, and goes over to the socket.
function socketFolder(folder) {
  const place = join(folder, 'run');
  mkdirSync(place);
  if (process.getuid() === 0) {
    const group = /^www-data:[^:]*:(\d+):/m.exec(readFileSync('/etc/group', 'utf8'));
    chownSync(place, 0, Number(group[1]));
    chmodSync(place, 0o2750);
  }
  return place;
}

class Site {
  constructor(parts) {
    Object.assign(this, parts);
  }

  url(host, path = '') {
    return `https://${host}.example.test:${this.port}${path}`;
  }

  /** A client whose relative paths are at `host`; its jar holds the cookies of all hosts. */
  client(host, { address = '127.0.0.1', ...options } = {}) {
    return new Client(this.url(host), {
      connect: { host: '127.0.0.1', port: this.port, localAddress: address },
      tls: { ca: this.certificate.text, rejectUnauthorized: true },
      ...options,
    });
  }

  /** Logs in at the page, as a browser does; returns the answer to the form. */
  login(client, username = 'ada', rd = undefined) {
    return client.post(this.url('auth', '/login'), { form: { username, password: PASSWORD, ...(rd && { rd }) } });
  }

  /** A session's token, for Authorization: Bearer. */
  async token(username = 'ada') {
    const answer = await this.client('auth').post('/api/v1/login', { json: { username, password: PASSWORD, token: true } });
    if (answer.status !== 200) throw new Error(`no token: ${answer.status} ${answer.text}`);
    const body = answer.json();
    return body.token ?? body.session.token;
  }

  async stop() {
    await this.proxy.stop();
    this.app.stop();
    return this.server.stop();
  }
}

/** The values of a header as the app received it, whatever its case, with "_" taken for "-". */
export function received(request, name) {
  const values = [];
  for (let i = 0; i < request.rawHeaders.length; i += 2) {
    if (request.rawHeaders[i].toLowerCase().replaceAll('_', '-') === name) values.push(request.rawHeaders[i + 1]);
  }
  return values;
}
