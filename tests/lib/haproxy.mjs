// SPDX-License-Identifier: ISC
// Debian's HAProxy in a temporary folder.
//
//   const haproxy = await startHaproxy(file, port);
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { up } from './nginx.mjs';
import { Program } from './process.mjs';

/** file: its configuration, which listens on `port`. */
export async function startHaproxy(file, port) {
  const command = existsSync('/usr/sbin/haproxy') ? '/usr/sbin/haproxy' : 'haproxy';
  const program = new Program(command, ['-db', '-f', file], { cwd: dirname(file) });
  await up(program, port, 'haproxy');
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    program,
    errors: () => program.output,
    stop: () => program.stop('SIGTERM', 3000),
  };
}
