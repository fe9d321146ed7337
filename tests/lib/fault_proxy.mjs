// SPDX-License-Identifier: ISC
// A TCP proxy that misbehaves on request, between stayd-store and its database.
//
//   const proxy = await startFaultProxy(postgres.port);
//   proxy.mode = 'pass';        // the beginning
//   proxy.mode = 'silent';      // new connections are taken and never answered; old ones go on
//   proxy.mode = 'blackhole';   // on all connections nothing gets through, and nobody is told
//   proxy.mode = 'refuse';      // new connections are reset at once
//   proxy.delay = 50;           // milliseconds, each way
//   proxy.reset();              // every connection, now
//   proxy.cut({ when: 'sent', skip: 3, matching: /session/ });  // once: resets in mid-statement
//   proxy.rewrite = (bytes) => …; // of what the server says
import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { atEnd } from './process.mjs';

// libuv can't reset what is being shut down already, and node then waits for it for ever.
function reset(socket) {
  if (socket.writableEnded || socket.destroyed) socket.destroy();
  else socket.resetAndDestroy();
}

export class FaultProxy {
  mode = 'pass';

  delay = 0;

  rewrite = null;

  pairs = new Set();

  sockets = new Set();

  accepted = 0;

  cuts = [];

  constructor(target, host) {
    Object.assign(this, { target, host });
    this.server = net.createServer((client) => this.#accept(client));
  }

  get port() {
    return this.server.address().port;
  }

  /**
   * Resets a connection in mid-statement, `count` times. when: 'asked': what the client said does not reach the
   * server; 'sent': it does, and the answer is lost; 'answering': half of the answer arrives. Only what matches
   * counts, and of that `skip` pieces pass first. Returns an object whose `done` says how often it happened.
   */
  cut({ when = 'sent', count = 1, skip = 0, matching = /./s } = {}) {
    const one = { when, count, skip, matching, done: 0 };
    this.cuts.push(one);
    return one;
  }

  #accept(client) {
    this.accepted += 1;
    this.#keep(client);
    if (this.mode === 'refuse') return reset(client);
    const pair = { client, server: null, authenticated: false, cutting: null };
    this.pairs.add(pair);
    client.once('close', () => this.#close(pair));
    if (this.mode === 'silent' || this.mode === 'blackhole') return client.resume();
    pair.server = net.connect(this.target, this.host);
    this.#keep(pair.server);
    pair.server.setNoDelay(true);
    client.setNoDelay(true);
    pair.server.on('error', () => reset(client));
    pair.server.once('close', () => this.#close(pair));
    this.#carry(client, pair.server, (bytes) => this.#asked(pair, bytes));
    this.#carry(pair.server, client, (bytes) => this.#answered(pair, bytes));
    return undefined;
  }

  #keep(socket) {
    this.sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => this.sockets.delete(socket));
  }

  // In order, however long each piece waits.
  #carry(from, to, look) {
    let last = Promise.resolve();
    from.on('data', (bytes) => {
      last = last.then(async () => {
        if (this.delay > 0) await delay(this.delay);
        if (this.mode === 'blackhole') return;
        const passed = look(bytes);
        if (passed && !to.destroyed) to.write(passed);
      });
    });
    from.on('end', () => {
      last = last.then(() => this.mode !== 'blackhole' && to.end());
    });
  }

  #asked(pair, bytes) {
    if (!pair.authenticated) return bytes;
    const cut = this.cuts.find((one) => one.count > one.done && one.matching.test(bytes.toString('latin1')));
    if (!cut) return bytes;
    if (cut.skip > 0) {
      cut.skip -= 1;
      return bytes;
    }
    cut.done += 1;
    if (cut.when === 'asked') {
      this.#reset(pair);
      return null;
    }
    pair.cutting = cut;
    return bytes;
  }

  #answered(pair, given) {
    const bytes = this.rewrite ? this.rewrite(given) : given;
    // AuthenticationOk: log-ins are never cut. (With TLS nothing is readable, and nothing is cut.)
    pair.authenticated ||= bytes.includes(Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0]));
    if (!pair.cutting) return bytes;
    if (pair.cutting.when === 'answering') pair.client.write(bytes.subarray(0, bytes.length / 2));
    this.#reset(pair);
    return null;
  }

  #reset(pair) {
    reset(pair.client);
    pair.server?.end(); // the server is asked to end in peace: it has done what it was sent
    this.pairs.delete(pair);
  }

  #close(pair) {
    if (this.mode === 'blackhole') return;
    pair.client.destroy();
    pair.server?.destroy();
    this.pairs.delete(pair);
  }

  /** Every connection, now. */
  reset() {
    for (const pair of this.pairs) this.#reset(pair);
  }

  /** Back to passing; connections that were held in a black hole are over. */
  heal() {
    const held = this.mode !== 'pass';
    this.mode = 'pass';
    this.delay = 0;
    this.cuts = [];
    if (held) this.reset();
  }

  async stop() {
    if (!this.server.listening) return;
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }
}

export async function startFaultProxy(target, host = '127.0.0.1') {
  const proxy = new FaultProxy(target, host);
  proxy.server.listen(0, '127.0.0.1');
  await once(proxy.server, 'listening');
  proxy.server.unref();
  atEnd(() => proxy.stop());
  return proxy;
}
