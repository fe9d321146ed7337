// SPDX-License-Identifier: ISC
// Routes of the ops listener and of the control socket. Runs in stayd-watch.
#include "watch/ops.h"

#include "base/log.h"
#include "watch/answer.h"
#include "watch/file.h"
#include "watch/live_page.h"
#include "watch/review.h"
#include "watch/routes.h"
#include "watch/runbooks.h"

#define MISDIRECTED_SAY_NS 60000000000u

void ops_init(struct ops *ops, const struct watched *watched, const struct incidents *incidents)
{
    *ops = (struct ops){.watched = watched, .incidents = incidents};
    top_init(&ops->top);
    history_init(&ops->history);
    bytes_init(&ops->body, METRICS_SIZE_MAX);
}

void ops_release(struct ops *ops)
{
    bytes_release(&ops->body);
    history_release(&ops->history);
}

static void live(const struct asked *asked)
{
    const struct ops *ops = asked->ops;
    const char *incident = ops->book == NULL ? NULL : incident_book_current(ops->book);
    live_page_write(&asked->ops->body, &ops->top, ops->watched, &ops->saturation, ops->verdict, incident,
                    asked->now);
    answer_page(asked);
}

static void top(const struct asked *asked)
{
    const struct ops *ops = asked->ops;
    struct bytes verdict;
    bytes_init(&verdict, 1 << 18);
    why_write(asked, &verdict);
    top_write_json(&asked->ops->body, &ops->top, ops->watched, &ops->saturation, bytes_view(&verdict),
                   asked->now);
    bytes_release(&verdict);
    answer_body(asked, VIEW("application/json"));
}

static void review(const struct asked *asked)
{
    const struct ops *ops = asked->ops;
    struct review weeks;
    struct sums sums;
    review_begin(&weeks, asked->now->wall_ms / 60000);
    (void)history_read(&ops->history, weeks.now, &weeks, review_add);
    sums_take(&sums, ops->watched, asked->now->mono_ns);
    review_write_json(&asked->ops->body, &weeks, ops->watched, &sums, asked->now);
    answer_body(asked, VIEW("application/json"));
}

// The style and the script of these pages.
static void asset(const struct asked *asked)
{
    const struct file *file = file_find(view_from(asked->request->path, 1));
    bool style = view_equal(asked->request->path, VIEW("/ops.css"));
    bytes_append_view(&asked->ops->body, file->data);
    answer_body(asked, style ? VIEW("text/css; charset=utf-8") : VIEW("text/javascript; charset=utf-8"));
}

static void runbooks(const struct asked *asked)
{
    runbooks_list(&asked->ops->body);
    answer_page(asked);
}

static void runbook(const struct asked *asked)
{
    if (runbooks_read(asked->rest, &asked->ops->body)) {
        answer_page(asked);
    } else {
        answer_nothing_here(asked);
    }
}

static void metrics(const struct asked *asked)
{
    stats_count(STATS_scrapes);
    metrics_write(&asked->ops->body, asked->ops->watched, &asked->ops->saturation, asked->now);
    answer_body(asked, VIEW(METRICS_CONTENT_TYPE));
}

static void alive(const struct asked *asked)
{
    bytes_append_view(&asked->ops->body, VIEW("alive\n"));
    answer_body(asked, VIEW("text/plain; charset=utf-8"));
}

static void ready(const struct asked *asked)
{
    if (!watched_ready(asked->ops->watched, asked->now)) {
        bool core = watched_up(asked->ops->watched, STATS_ROLE_core, asked->now) > 0;
        answer_problem(asked, 503, VIEW("stayd is not ready."),
                       core ? VIEW("No front is up.") : VIEW("Core is not up."), 1);
        return;
    }
    bytes_append_view(&asked->ops->body, VIEW("ready\n"));
    answer_body(asked, VIEW("text/plain; charset=utf-8"));
}

static const struct route {
    struct view path;
    bool prefix;
    enum stats_class class;
    void (*answer)(const struct asked *asked);
    void (*post)(const struct asked *asked); // through the control socket; NULL: nothing to change
} routes[] = {
    {VIEW("/"), false, STATS_CLASS_page, live, NULL},
    {VIEW("/top.json"), false, STATS_CLASS_control, top, NULL},
    {VIEW("/review.json"), false, STATS_CLASS_control, review, NULL},
    {VIEW("/metrics"), false, STATS_CLASS_control, metrics, NULL},
    {VIEW("/why.json"), false, STATS_CLASS_control, route_why_json, NULL},
    {VIEW("/why"), false, STATS_CLASS_control, route_why_text, NULL},
    {VIEW("/livez"), false, STATS_CLASS_health, alive, NULL},
    {VIEW("/readyz"), false, STATS_CLASS_health, ready, NULL},
    {VIEW("/incidents"), false, STATS_CLASS_page, route_incidents_page, NULL},
    {VIEW("/incidents.json"), false, STATS_CLASS_control, route_incidents_json, NULL},
    {VIEW("/incidents/actions.json"), false, STATS_CLASS_control, route_incident_actions, NULL},
    {VIEW("/incidents/"), true, STATS_CLASS_page, route_incident, route_incident_post},
    {VIEW("/runbooks"), false, STATS_CLASS_page, runbooks, NULL},
    {VIEW("/runbooks/"), true, STATS_CLASS_page, runbook, NULL},
    {VIEW("/ops.css"), false, STATS_CLASS_asset, asset, NULL},
    {VIEW("/ops.js"), false, STATS_CLASS_asset, asset, NULL},
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

// Whoever scrapes by a name that is not known must find it here; a page in somebody's browser asks often.
static void say_misdirected(struct ops *ops, struct view host, uint64_t now_ns)
{
    if (ops->misdirected_ns == 0 || now_ns >= ops->misdirected_ns + MISDIRECTED_SAY_NS) {
        ops->misdirected_ns = now_ns;
        log_event(LOG_WARNING, "ops_host_refused",
                  "the ops listener was asked for as %.*s: if this is one of its names, add it to ops_hosts",
                  (int)host.size, (const char *)host.data);
    }
}

// Who only looks whether stayd is there learns nothing, and is often a machine that asks by any name.
static bool is_misdirected(const struct route *route, const struct asked *asked, struct view *host)
{
    bool health = route != NULL && route->class == STATS_CLASS_health;
    *host = http_request_known(asked->request, HTTP_HEADER_HOST);
    return asked->door == OPS_DOOR_LISTENER && !health && !names_have(&asked->ops->names, *host);
}

static void answer(const struct route *route, struct asked *asked)
{
    struct view host;
    bool reads = asked->request->method == HTTP_GET || asked->request->method == HTTP_HEAD;
    bool changes = asked->request->method == HTTP_POST && asked->door == OPS_DOOR_CONTROL;
    if (is_misdirected(route, asked, &host)) {
        say_misdirected(asked->ops, host, asked->now->mono_ns);
        answer_misdirected(asked, host);
        return;
    }
    if (route == NULL) {
        answer_nothing_here(asked);
        return;
    }
    asked->rest = view_from(asked->request->path, route->path.size);
    if (reads) {
        route->answer(asked);
    } else if (changes && route->post != NULL) {
        route->post(asked);
    } else {
        answer_method_refused(asked, VIEW("GET, HEAD"));
    }
}

void ops_answer(struct ops *ops, const struct http_request *request, enum ops_door door,
                const struct watched_now *now, struct bytes *out)
{
    const struct route *route = find(request->path);
    struct asked asked = {.ops = ops, .request = request, .now = now, .out = out, .door = door};
    enum stats_class class = route == NULL ? STATS_CLASS_other : route->class;
    http_date_update(&ops->date, (int64_t)(now->wall_ms / 1000));
    bytes_reset(&ops->body);
    stats_flight_begin(class, NULL);
    answer(route, &asked);
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
