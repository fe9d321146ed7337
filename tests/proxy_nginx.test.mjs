// SPDX-License-Identifier: ISC
// Debian's nginx in front of an app, set up as docs/proxies/nginx.md says, asks a whole stayd.
import { proxyStories } from './lib/proxy_stories.mjs';

proxyStories('nginx');
