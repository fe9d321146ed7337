// SPDX-License-Identifier: ISC
// The table of everything that the public listener answers. Runs in stayd-front.
#include "front/routes.h"

#include "base/fault.h"
#include "front/answer.h"
#include "front/api.h"
#include "front/ask.h"
#include "front/forward_auth.h"
#include "front/intake.h"
#include "front/pages_admin.h"
#include "front/pages_routes.h"

static void answer_health(struct exchange *exchange, bool fine, struct view text)
{
    answer_begin(exchange, fine ? 200 : 503);
    bytes_append_view(answer_out(exchange),
                      VIEW("Content-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n"));
    if (!fine) {
        answer_header(exchange, VIEW("Retry-After"), VIEW("1"));
    }
    answer_end(exchange, text);
}

static void show_live(struct exchange *exchange)
{
    answer_health(exchange, true, VIEW("live\n"));
}

static void show_ready(struct exchange *exchange)
{
    if (exchange->front->draining) {
        answer_health(exchange, false, VIEW("draining\n"));
    } else if (!asks_core_ready(exchange->front)) {
        answer_health(exchange, false, VIEW("core can't be reached\n"));
    } else {
        answer_health(exchange, true, VIEW("ready\n"));
    }
}

#define PATH(text)                                                                                           \
    {                                                                                                        \
        (const uint8_t *)text, sizeof(text) - 1                                                              \
    }
#define CHECK(path_, get_)                                                                                   \
    {                                                                                                        \
        .path = PATH(path_), .style = ROUTE_CHECK, .class = STATS_CLASS_check, .get = get_                   \
    }
#define API(path_, class_, ...)                                                                              \
    {                                                                                                        \
        .path = PATH(path_), .style = ROUTE_API, .class = STATS_CLASS_##class_, __VA_ARGS__                  \
    }
#define PAGE(path_, class_, ...)                                                                             \
    {                                                                                                        \
        .path = PATH(path_), .style = ROUTE_PAGE, .class = STATS_CLASS_##class_, __VA_ARGS__                 \
    }

static const struct route routes[] = {
    CHECK("/auth/check", forward_auth_check),
    CHECK("/auth/check/nginx", forward_auth_check_nginx),
    PAGE("/", page, .get = page_root),
    PAGE("/login", login, .get = page_login, .post = page_login_post),
    PAGE("/logout", logout, .post = page_logout_post),
    PAGE("/register", register, .get = page_register, .post = page_register_post),
    PAGE("/setup", setup, .get = page_setup, .post = page_setup_post),
    PAGE("/account", account, .get = page_account),
    PAGE("/account/password", password, .post = page_account_password_post),
    PAGE("/account/sessions/end", session, .post = page_account_sessions_end_post),
    PAGE("/admin", admin, .get = page_admin),
    PAGE("/admin/users/add", admin, .post = page_admin_add_post),
    PAGE("/admin/users/set", admin, .post = page_admin_set_post),
    PAGE("/admin/users/invite", admin, .post = page_admin_invite_post),
    PAGE("/admin/users/sessions/end", admin, .post = page_admin_sessions_end_post),
    PAGE("/assets/", asset, .get = page_asset, .below = true),
    PAGE("/favicon.svg", asset, .get = page_asset),
    PAGE("/favicon.ico", asset, .get = page_asset),
    API("/api/v1/login", login, .post = api_login),
    API("/api/v1/logout", logout, .post = api_logout),
    API("/api/v1/session", session, .get = api_session_show),
    API("/api/v1/sessions", session, .get = api_session_list, .delete = api_session_end_others),
    API("/api/v1/sessions/", session, .delete = api_session_end, .below = true),
    API("/api/v1/register", register, .post = api_register),
    API("/api/v1/password", password, .post = api_password),
    {.path = PATH("/livez"), .style = ROUTE_API, .class = STATS_CLASS_health, .get = show_live},
    {.path = PATH("/readyz"), .style = ROUTE_API, .class = STATS_CLASS_health, .get = show_ready},
};

static const struct route unknown_page = {.style = ROUTE_PAGE, .class = STATS_CLASS_other};
static const struct route unknown_api = {.style = ROUTE_API, .class = STATS_CLASS_other};
const struct route route_malformed = {.style = ROUTE_API, .class = STATS_CLASS_malformed};

bool route_is_known(const struct route *route)
{
    return route->get != NULL || route->post != NULL || route->delete != NULL;
}

enum stats_class route_class(const struct route *route, enum http_method method)
{
    bool looks = method == HTTP_GET || method == HTTP_HEAD;
    bool page = route->style == ROUTE_PAGE && route->class != STATS_CLASS_asset;
    return looks && page && route_is_known(route) ? STATS_CLASS_page : route->class;
}

void route_count_arrival(struct exchange *exchange)
{
    enum stats_counter counter = STATS_changes_arrived;
    switch ((unsigned)exchange->class) {
    case STATS_CLASS_login:
        counter = STATS_logins_arrived;
        break;
    case STATS_CLASS_register:
        counter = STATS_registrations_arrived;
        break;
    case STATS_CLASS_logout:
    case STATS_CLASS_password:
    case STATS_CLASS_setup:
    case STATS_CLASS_session:
    case STATS_CLASS_account:
    case STATS_CLASS_admin:
        if (exchange->intake->request.method == HTTP_POST ||
            exchange->intake->request.method == HTTP_DELETE) {
            break;
        }
        return;
    default:
        return;
    }
    if (!exchange->intake->looked_up) { // else: it was counted before it waited
        stats_count(counter);
        crowd_note(&exchange->front->crowd, exchange->client);
    }
}

const struct route *route_find(struct view path)
{
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        const struct route *route = &routes[i];
        if (route->below ? path.size > route->path.size && view_starts_with(path, route->path)
                         : view_equal(path, route->path)) {
            return route;
        }
    }
    bool program = view_starts_with(path, VIEW("/api/")) || view_starts_with(path, VIEW("/auth/"));
    return program ? &unknown_api : &unknown_page;
}

#ifdef STAYD_FAULTS
// For drills: a request that kills, or hangs, the process that reads it.
static void obey_fault(const struct http_request *request)
{
    size_t count;
    struct view fault = http_request_find(request, VIEW("X-Stayd-Fault"), &count);
    if (view_equal(fault, VIEW("crash"))) {
        fault_crash();
    }
    if (view_equal(fault, VIEW("hang"))) {
        fault_hang();
    }
}
#endif

void route_handle(struct exchange *exchange)
{
    const struct route *route = exchange->route;
    void (*handler)(struct exchange *) = NULL;
#ifdef STAYD_FAULTS
    obey_fault(exchange->request);
#endif
    if (!route_is_known(route)) {
        struct answer_error error = {.status = 404, .type = "not_found", .title = "There is no such page"};
        answer_error(exchange, &error);
        return;
    }
    switch (exchange->request->method) {
    case HTTP_GET:
    case HTTP_HEAD:
        handler = route->get;
        break;
    case HTTP_POST:
        handler = route->post;
        break;
    case HTTP_DELETE:
        handler = route->delete;
        break;
    case HTTP_PUT:
    case HTTP_PATCH:
    case HTTP_OPTIONS:
        break;
    }
    if (handler == NULL) {
        answer_method_not_allowed(exchange);
    } else {
        handler(exchange);
    }
}
