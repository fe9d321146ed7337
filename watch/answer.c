// SPDX-License-Identifier: ISC
// Writing answers. Runs in stayd-watch. Nothing here may be kept by a browser, framed, or read by the scripts
// of another site.
#include "watch/answer.h"

static void problem(const struct asked *asked, const struct http_problem *problem)
{
    http_write_problem_response(asked->out, problem, &asked->ops->date, asked->request->minor,
                                asked->request->keep_alive, asked->request->method == HTTP_HEAD);
}

void answer_problem(const struct asked *asked, unsigned status, struct view title, struct view detail,
                    uint32_t retry_after_s)
{
    problem(asked, &(struct http_problem){.type = VIEW("about:blank"),
                                          .title = title,
                                          .status = status,
                                          .detail = detail,
                                          .retry_after_s = retry_after_s});
}

static void answer(const struct asked *asked, struct view type, struct view policy)
{
    struct bytes *body = &asked->ops->body;
    if (body->failed) {
        answer_problem(asked, 500, VIEW("The answer does not fit."), VIEW(""), 0);
        return;
    }
    http_write_status(asked->out, 200);
    http_write_date(asked->out, &asked->ops->date);
    http_write_header(asked->out, VIEW("Content-Type"), type);
    http_write_header(asked->out, VIEW("Cache-Control"), VIEW("no-store"));
    http_write_header(asked->out, VIEW("X-Content-Type-Options"), VIEW("nosniff"));
    http_write_header(asked->out, VIEW("Cross-Origin-Resource-Policy"), VIEW("same-origin"));
    http_write_header(asked->out, VIEW("Content-Security-Policy"), policy);
    http_write_end(asked->out, body->size, asked->request->minor, asked->request->keep_alive);
    if (asked->request->method != HTTP_HEAD) {
        bytes_append_view(asked->out, bytes_view(body));
    }
}

void answer_body(const struct asked *asked, struct view type)
{
    answer(asked, type, VIEW("default-src 'none'; sandbox"));
}

void answer_page(const struct asked *asked)
{
    answer(asked, VIEW("text/html; charset=utf-8"),
           VIEW("default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
                "form-action 'none'; frame-ancestors 'none'; base-uri 'none'"));
}

void answer_misdirected(const struct asked *asked, struct view host)
{
    struct bytes detail;
    bytes_init(&detail, 1024);
    bytes_append_format(
        &detail,
        "The ops listener was asked for as %.*s. It goes by addresses, localhost, the hosts of "
        "public_url and ops_url, and the names in ops_hosts: if this is one of its names, add it "
        "there.",
        (int)host.size, (const char *)host.data);
    answer_problem(asked, 421, VIEW("This is not that host."), bytes_view(&detail), 0);
    bytes_release(&detail);
}

void answer_nothing_here(const struct asked *asked)
{
    answer_problem(
        asked, 404, VIEW("There is nothing here."),
        VIEW("There are /, /top.json, /metrics, /incidents, /runbooks, /review.json, /livez, /readyz."), 0);
}

void answer_method_refused(const struct asked *asked, struct view allow)
{
    static const struct view body =
        VIEW("{\"type\":\"about:blank\",\"title\":\"Not with this method.\",\"status\":405}");
    http_write_status(asked->out, 405);
    http_write_date(asked->out, &asked->ops->date);
    http_write_header(asked->out, VIEW("Allow"), allow);
    http_write_header(asked->out, VIEW("Content-Type"), VIEW("application/problem+json"));
    http_write_end(asked->out, body.size, asked->request->minor, asked->request->keep_alive);
    bytes_append_view(asked->out, body);
}
