// SPDX-License-Identifier: ISC
// Prints what parsing one browser's request of about 800 bytes costs, in nanoseconds: bench/http_parse
// [ROUNDS].
#include "http/parse.h"

#include <time.h>

static const char browser[] =
    "GET /auth/check HTTP/1.1\r\n"
    "Host: app.example.org\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 "
    "Safari/537.36\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n"
    "Cookie: theme=dark; stayd=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA; consent=1\r\n"
    "Sec-Ch-Ua: \"Chromium\";v=\"126\", \"Not/A)Brand\";v=\"8\"\r\n"
    "Sec-Ch-Ua-Mobile: ?0\r\n"
    "Sec-Ch-Ua-Platform: \"Linux\"\r\n"
    "Sec-Fetch-Dest: document\r\n"
    "Sec-Fetch-Mode: navigate\r\n"
    "Sec-Fetch-Site: same-origin\r\n"
    "Upgrade-Insecure-Requests: 1\r\n"
    "X-Forwarded-Method: GET\r\n"
    "X-Forwarded-Proto: https\r\n"
    "X-Forwarded-Host: app.example.org\r\n"
    "X-Forwarded-Uri: /dashboard?tab=1\r\n"
    "\r\n";

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int main(int argc, char **argv)
{
    static struct http_request request;
    unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000;
    uint64_t best = UINT64_MAX;
    size_t consumed = 0;
    for (int pass = 0; pass < 5; pass++) { // the best of five: others may use the machine
        uint64_t start = now_ns();
        for (unsigned long i = 0; i < rounds; i++) {
            http_request_reset(&request);
            if (http_parse_head(&request, view_of(browser, sizeof(browser) - 1), &http_limits_default,
                                &consumed) != HTTP_DONE) {
                return 1;
            }
        }
        uint64_t took = now_ns() - start;
        best = took < best ? took : best;
    }
    printf("http_parse_head: %.0f ns for %zu bytes, %zu headers\n", (double)best / (double)rounds, consumed,
           request.header_count);
    return 0;
}
