// SPDX-License-Identifier: ISC
// The protected app of the stories: it answers every request with what it received, as JSON.
import { once } from 'node:events';
import http from 'node:http';

export async function startApp({ host = '127.0.0.1' } = {}) {
  const requests = [];
  const server = http.createServer(async (request, response) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    const seen = {
      method: request.method,
      url: request.url,
      headers: request.headers,
      rawHeaders: request.rawHeaders,
      body: Buffer.concat(parts).toString(),
    };
    requests.push(seen);
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(seen));
  });
  server.listen(0, host);
  await once(server, 'listening');
  server.unref();
  const { port } = server.address();
  return {
    port,
    url: `http://${host}:${port}`,
    requests,
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}
