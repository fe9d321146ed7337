// SPDX-License-Identifier: ISC
// The bytes that each class of requests sends. Runs in stayctl storm.
//
//   check     GET /auth/check with the session's cookie
//   login     POST /api/v1/login; the session it opens is the one that the account's next checks use
//   change    DELETE /api/v1/sessions: ends all sessions of the account but this one: a change by way of core
//             and the database without a password hash, as a refresh is
//   register  POST /api/v1/register of a new account, named after the run
#include "drill/storm.h"

// Text as it stands between the quotes of a JSON string. False when it does not fit.
static bool put_json(char *out, size_t size, const char *text)
{
    size_t used = 0;
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (used + 7 > size) {
            return false;
        }
        if (c < ' ' || c == '"' || c == '\\') {
            used += (size_t)snprintf(out + used, 7, "\\u%04x", c);
        } else {
            out[used++] = *text;
        }
    }
    out[used] = '\0';
    return true;
}

static size_t write_get(const struct storm *storm, const struct person *person, char *out)
{
    int size = snprintf(out, LINK_REQUEST_MAX,
                        "GET /auth/check HTTP/1.1\r\nHost: %s\r\nUser-Agent: stayctl-storm\r\nAccept: "
                        "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8\r\nAccept-Language: en\r\n"
                        "Cookie: theme=dark; %s=%s\r\n\r\n",
                        storm->options->target->authority, storm->cookie_name, person->token);
    return (size_t)size;
}

static size_t write_change(const struct storm *storm, const struct person *person, char *out)
{
    int size = snprintf(out, LINK_REQUEST_MAX,
                        "DELETE /api/v1/sessions HTTP/1.1\r\nHost: %s\r\nUser-Agent: stayctl-storm\r\n"
                        "Authorization: Bearer %s\r\n\r\n",
                        storm->options->target->authority, person->token);
    return (size_t)size;
}

static size_t write_post(const struct storm *storm, const char *path, const char *body, char *out)
{
    int size = snprintf(out, LINK_REQUEST_MAX,
                        "POST /api/v1/%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: stayctl-storm\r\n"
                        "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                        path, storm->options->target->authority, strlen(body), body);
    return size < LINK_REQUEST_MAX ? (size_t)size : 0;
}

static void name_of(const struct storm *storm, const struct storm_request *request,
                    char out[PEOPLE_NAME_SIZE])
{
    if (request->class == STORM_register && !request->preparing) {
        snprintf(out, PEOPLE_NAME_SIZE, "storm-%s-%u", storm->run_name, request->fresh);
    } else {
        people_name(storm->people, request->person, out);
    }
}

size_t storm_write(void *owner, uint32_t number, char *out)
{
    const struct storm *storm = owner;
    const struct storm_request *request = &storm->request[number];
    const struct person *person = &storm->people->person[request->person];
    char name[PEOPLE_NAME_SIZE];
    char password[2048];
    char body[2400];
    if (request->class == STORM_check) {
        return write_get(storm, person, out);
    }
    if (request->class == STORM_change) {
        return write_change(storm, person, out);
    }
    name_of(storm, request, name);
    if (!put_json(password, sizeof(password), people_password(storm->people, request->person))) {
        password[0] = '\0';
    }
    if (request->class == STORM_login) {
        snprintf(body, sizeof(body), "{\"username\":\"%s\",\"password\":\"%s\"}", name, password);
        return write_post(storm, "login", body, out);
    }
    snprintf(body, sizeof(body), "{\"username\":\"%s\",\"email\":\"%s@example.com\",\"password\":\"%s\"}",
             name, name, password);
    return write_post(storm, "register", body, out);
}
