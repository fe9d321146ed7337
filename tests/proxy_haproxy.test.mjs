// SPDX-License-Identifier: ISC
// Debian's HAProxy in front of an app, set up as docs/proxies/haproxy.md says, asks a whole stayd.
import { proxyStories } from './lib/proxy_stories.mjs';

proxyStories('haproxy');
