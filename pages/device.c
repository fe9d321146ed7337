// SPDX-License-Identifier: ISC
// Names a browser and its system out of a User-Agent header, for people to recognise their sessions. Runs in
// stayd-front. A guess for display only: nothing is decided by it.
#include "pages/pages.h"

struct mark {
    const char *token;
    const char *name;
};

// The first that occurs wins: browsers name those that they imitate after themselves.
static const struct mark browsers[] = {
    {"Edg", "Edge"},        {"OPR/", "Opera"},
    {"Vivaldi", "Vivaldi"}, {"SamsungBrowser", "Samsung Internet"},
    {"Firefox", "Firefox"}, {"FxiOS", "Firefox"},
    {"CriOS", "Chrome"},    {"Chromium", "Chromium"},
    {"Chrome/", "Chrome"},  {"Safari/", "Safari"},
    {"curl/", "curl"},      {"Wget/", "Wget"},
    {"python", "Python"},   {"Go-http-client", "Go"},
};
static const struct mark systems[] = {
    {"iPhone", "iPhone"},   {"iPad", "iPad"},       {"Android", "Android"},
    {"CrOS", "ChromeOS"},   {"Windows", "Windows"}, {"Macintosh", "Mac"},
    {"FreeBSD", "FreeBSD"}, {"OpenBSD", "OpenBSD"}, {"Linux", "Linux"},
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const char *first_mark(struct view text, const struct mark *marks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (text.size > 0 && memmem(text.data, text.size, marks[i].token, strlen(marks[i].token)) != NULL) {
            return marks[i].name;
        }
    }
    return NULL;
}

struct view pages_device(struct view user_agent, char room[PAGES_DEVICE_SIZE_MAX])
{
    const char *browser = first_mark(user_agent, browsers, COUNT(browsers));
    const char *system = first_mark(user_agent, systems, COUNT(systems));
    if (browser == NULL && system == NULL) {
        return VIEW("Unknown device");
    }
    if (browser == NULL || system == NULL) {
        return view_of_cstr(browser == NULL ? system : browser);
    }
    int size = snprintf(room, PAGES_DEVICE_SIZE_MAX, "%s on %s", browser, system);
    return view_of(room, size < 0 ? 0 : (size_t)size);
}
