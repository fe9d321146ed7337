// SPDX-License-Identifier: ISC
// Pieces of the ops listener's pages. Runs in stayd-watch.
#include "watch/html.h"

void html_text(struct bytes *out, struct view text)
{
    for (size_t i = 0; i < text.size; i++) {
        switch (text.data[i]) {
        case '&':
            bytes_append_view(out, VIEW("&amp;"));
            break;
        case '<':
            bytes_append_view(out, VIEW("&lt;"));
            break;
        case '>':
            bytes_append_view(out, VIEW("&gt;"));
            break;
        case '"':
            bytes_append_view(out, VIEW("&quot;"));
            break;
        default:
            bytes_append_byte(out, text.data[i]);
        }
    }
}

void html_cstr(struct bytes *out, const char *text)
{
    html_text(out, view_of_cstr(text));
}

void html_begin(struct bytes *out, const char *title, unsigned refresh_s)
{
    bytes_append_view(out, VIEW("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
                                "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"));
    if (refresh_s > 0) {
        bytes_append_format(out,
                            "<noscript><meta http-equiv=\"refresh\" content=\"%u\"></noscript>\n"
                            "<script src=\"/ops.js\" defer></script>\n",
                            refresh_s);
    }
    bytes_append_view(out, VIEW("<title>"));
    html_cstr(out, title);
    bytes_append_view(out, VIEW(" · stayd</title>\n<link rel=\"stylesheet\" href=\"/ops.css\">\n"
                                "<nav><a href=\"/\">State</a><a href=\"/incidents\">Incidents</a>"
                                "<a href=\"/runbooks\">Runbooks</a><a href=\"/metrics\">Metrics</a></nav>\n"
                                "<p id=\"stale\" role=\"status\"></p>\n<main>\n<h1>"));
    html_cstr(out, title);
    bytes_append_view(out, VIEW("</h1>\n"));
}

void html_end(struct bytes *out)
{
    bytes_append_view(out, VIEW("</main>\n</html>\n"));
}

void html_duration(struct bytes *out, double seconds)
{
    unsigned long long whole = seconds < 0 ? 0 : (unsigned long long)seconds;
    if (whole < 60) {
        bytes_append_format(out, "%llu s", whole);
    } else if (whole < 3600) {
        bytes_append_format(out, "%llu min", whole / 60);
    } else if (whole < 86400) {
        bytes_append_format(out, "%llu h %llu min", whole / 3600, whole % 3600 / 60);
    } else {
        bytes_append_format(out, "%llu d %llu h", whole / 86400, whole % 86400 / 3600);
    }
}

void html_number(struct bytes *out, uint64_t number)
{
    char digits[24];
    int size = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)number);
    for (int i = 0; i < size; i++) {
        if (i > 0 && (size - i) % 3 == 0) {
            bytes_append_view(out, VIEW("\u202f")); // narrow no-break space
        }
        bytes_append_byte(out, (uint8_t)digits[i]);
    }
}

void html_size(struct bytes *out, uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double size = (double)bytes;
    size_t i = 0;
    while (size >= 1024 && i + 1 < sizeof(units) / sizeof(units[0])) {
        size /= 1024;
        i++;
    }
    bytes_append_format(out, i == 0 ? "%.0f %s" : "%.1f %s", size, units[i]);
}

void html_time_ns(struct bytes *out, uint64_t ns)
{
    if (ns == 0) {
        bytes_append_view(out, VIEW("–"));
    } else if (ns < 1000000) {
        bytes_append_format(out, "%.0f µs", (double)ns / 1e3);
    } else if (ns < 1000000000) {
        bytes_append_format(out, "%.1f ms", (double)ns / 1e6);
    } else {
        bytes_append_format(out, "%.1f s", (double)ns / 1e9);
    }
}
