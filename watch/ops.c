// SPDX-License-Identifier: ISC
// Routes of the ops listener. Runs in stayd-watch.
#include "watch/ops.h"

#include "watch/html.h"
#include "watch/state_page.h"

struct asked {
    struct ops *ops;
    const struct http_request *request;
    const struct watched_now *now;
    struct bytes *out;
    struct view rest; // of the path, after the route's
    bool keep_alive;
};

void ops_init(struct ops *ops, const struct watched *watched, const struct incidents *incidents)
{
    *ops = (struct ops){.watched = watched, .incidents = incidents};
    bytes_init(&ops->body, METRICS_SIZE_MAX);
}

void ops_release(struct ops *ops)
{
    bytes_release(&ops->body);
}

static void problem(const struct asked *asked, const struct http_problem *problem)
{
    http_write_problem_response(asked->out, problem, &asked->ops->date, asked->request->minor,
                                asked->keep_alive, asked->request->method == HTTP_HEAD);
}

// What is in ops->body, as it is.
static void answer(const struct asked *asked, struct view type, bool page)
{
    struct bytes *body = &asked->ops->body;
    if (body->failed) {
        problem(asked, &(struct http_problem){.type = VIEW("about:blank"),
                                              .title = VIEW("The answer does not fit."),
                                              .status = 500});
        return;
    }
    http_write_status(asked->out, 200);
    http_write_date(asked->out, &asked->ops->date);
    http_write_header(asked->out, VIEW("Content-Type"), type);
    http_write_header(asked->out, VIEW("Cache-Control"), VIEW("no-store"));
    http_write_header(asked->out, VIEW("X-Content-Type-Options"), VIEW("nosniff"));
    http_write_header(asked->out, VIEW("Cross-Origin-Resource-Policy"), VIEW("same-origin"));
    http_write_header(
        asked->out, VIEW("Content-Security-Policy"),
        page ? VIEW("default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'")
             : VIEW("default-src 'none'; sandbox"));
    http_write_end(asked->out, body->size, asked->request->minor, asked->keep_alive);
    if (asked->request->method != HTTP_HEAD) {
        bytes_append_view(asked->out, bytes_view(body));
    }
}

static void not_found(const struct asked *asked)
{
    problem(asked,
            &(struct http_problem){.type = VIEW("about:blank"),
                                   .title = VIEW("There is nothing here."),
                                   .status = 404,
                                   .detail = VIEW("There are /, /metrics, /incidents, /livez, /readyz.")});
}

static void state(const struct asked *asked)
{
    state_page_write(&asked->ops->body, asked->ops->watched, asked->now);
    answer(asked, VIEW("text/html; charset=utf-8"), true);
}

static void style(const struct asked *asked)
{
    bytes_append_view(&asked->ops->body, html_style);
    answer(asked, VIEW("text/css; charset=utf-8"), false);
}

static void metrics(const struct asked *asked)
{
    stats_count(STATS_scrapes);
    metrics_write(&asked->ops->body, asked->ops->watched, &asked->ops->saturation, asked->now);
    answer(asked, VIEW(METRICS_CONTENT_TYPE), false);
}

static void alive(const struct asked *asked)
{
    bytes_append_view(&asked->ops->body, VIEW("alive\n"));
    answer(asked, VIEW("text/plain; charset=utf-8"), false);
}

static void ready(const struct asked *asked)
{
    if (!watched_ready(asked->ops->watched, asked->now)) {
        bool core = watched_up(asked->ops->watched, STATS_ROLE_core, asked->now) > 0;
        problem(asked,
                &(struct http_problem){.type = VIEW("about:blank"),
                                       .title = VIEW("stayd is not ready."),
                                       .status = 503,
                                       .detail = core ? VIEW("No front is up.") : VIEW("Core is not up."),
                                       .retry_after_s = 1});
        return;
    }
    bytes_append_view(&asked->ops->body, VIEW("ready\n"));
    answer(asked, VIEW("text/plain; charset=utf-8"), false);
}

static void incidents(const struct asked *asked)
{
    incidents_list(asked->ops->incidents, &asked->ops->body);
    answer(asked, VIEW("text/html; charset=utf-8"), true);
}

static void incident(const struct asked *asked)
{
    if (incidents_read(asked->ops->incidents, asked->rest, &asked->ops->body)) {
        answer(asked, incidents_type(asked->rest), false);
    } else {
        not_found(asked);
    }
}

static const struct route {
    struct view path;
    bool prefix;
    enum stats_class class;
    void (*answer)(const struct asked *asked);
} routes[] = {
    {VIEW("/"), false, STATS_CLASS_page, state},
    {VIEW("/metrics"), false, STATS_CLASS_control, metrics},
    {VIEW("/livez"), false, STATS_CLASS_health, alive},
    {VIEW("/readyz"), false, STATS_CLASS_health, ready},
    {VIEW("/incidents"), false, STATS_CLASS_page, incidents},
    {VIEW("/incidents/"), true, STATS_CLASS_page, incident},
    {VIEW("/ops.css"), false, STATS_CLASS_asset, style},
};

static const struct route *find(struct view path)
{
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (routes[i].prefix ? view_starts_with(path, routes[i].path) : view_equal(path, routes[i].path)) {
            return &routes[i];
        }
    }
    return NULL;
}

static void method_refused(const struct asked *asked)
{
    static const struct view body =
        VIEW("{\"type\":\"about:blank\",\"title\":\"Only GET and HEAD.\",\"status\":405}");
    http_write_status(asked->out, 405);
    http_write_date(asked->out, &asked->ops->date);
    http_write_header(asked->out, VIEW("Allow"), VIEW("GET, HEAD"));
    http_write_header(asked->out, VIEW("Content-Type"), VIEW("application/problem+json"));
    http_write_end(asked->out, body.size, asked->request->minor, asked->keep_alive);
    bytes_append_view(asked->out, body);
}

void ops_answer(struct ops *ops, const struct http_request *request, bool keep_alive,
                const struct watched_now *now, struct bytes *out)
{
    const struct route *route = find(request->path);
    struct asked asked = {.ops = ops, .request = request, .now = now, .out = out, .keep_alive = keep_alive};
    enum stats_class class = route == NULL ? STATS_CLASS_other : route->class;
    http_date_update(&ops->date, (int64_t)(now->wall_ms / 1000));
    bytes_reset(&ops->body);
    stats_flight_begin(class, NULL);
    if (request->method != HTTP_GET && request->method != HTTP_HEAD) {
        method_refused(&asked);
    } else if (route == NULL) {
        not_found(&asked);
    } else {
        asked.rest = view_from(request->path, route->path.size);
        route->answer(&asked);
    }
    stats_flight_end();
}

void ops_refuse(struct ops *ops, unsigned status, const char *why, const struct watched_now *now,
                struct bytes *out)
{
    http_date_update(&ops->date, (int64_t)(now->wall_ms / 1000));
    http_write_problem_response(
        out,
        &(struct http_problem){.type = VIEW("about:blank"), .title = view_of_cstr(why), .status = status},
        &ops->date, 1, false, false);
}
