// SPDX-License-Identifier: ISC
// Debian's Caddy in front of an app, set up as docs/proxies/caddy.md says, asks a whole stayd.
import { proxyStories } from './lib/proxy_stories.mjs';

proxyStories('caddy');
