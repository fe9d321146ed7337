// SPDX-License-Identifier: ISC
// stayctl storm compare: two reports of storm, side by side. Runs in stayctl.
#include "cli/cli.h"

#include "cli/show.h"
#include "drill/compare.h"
#include "drill/plan.h"

static bool read_share(const struct cli *cli, double *share)
{
    const char *text =
        arguments_has(cli->arguments, CLI_worse_by) ? cli->arguments->value[CLI_worse_by] : "10%";
    struct view number = view_of_cstr(text);
    if (number.size > 0 && number.data[number.size - 1] == '%') {
        number.size--;
    }
    if (!plan_read_number(number, share) || *share > 1000) {
        cli_say("--worse-by is a percentage like 10%%.");
        return false;
    }
    *share /= 100;
    return true;
}

static json_t *load(const char *path)
{
    json_error_t error;
    json_t *report = json_load_file(path, 0, &error);
    if (report == NULL) {
        cli_say("%s is no JSON: %s.", path, error.text);
    }
    return report;
}

static void show_table(const struct compare *compare)
{
    printf("%-26s %12s %12s %9s\n", "", "before", "after", "change");
    for (unsigned i = 0; i < compare->figures; i++) {
        const struct compare_figure *figure = &compare->figure[i];
        char change[24] = "";
        if (figure->before > 0) {
            snprintf(change, sizeof(change), "%+.1f %%",
                     100 * (figure->after - figure->before) / figure->before);
        }
        printf("%-26s %12.2f %12.2f %9s%s\n", figure->name, figure->before, figure->after, change,
               figure->worse ? "  WORSE" : "");
    }
}

static json_t *to_json(const struct compare *compare)
{
    json_t *figures = json_array();
    for (unsigned i = 0; i < compare->figures; i++) {
        const struct compare_figure *figure = &compare->figure[i];
        json_array_append_new(figures,
                              json_pack("{s:s, s:f, s:f, s:b}", "figure", figure->name, "before",
                                        figure->before, "after", figure->after, "worse", (int)figure->worse));
    }
    return json_pack("{s:o, s:i}", "figures", figures, "worse", (int)compare->worse);
}

int compare_storms(struct cli *cli)
{
    static struct compare compare;
    double share;
    if (!read_share(cli, &share)) {
        return CLI_USAGE;
    }
    json_t *before = load(cli->arguments->operand[0]);
    json_t *after = before == NULL ? NULL : load(cli->arguments->operand[1]);
    bool done = after != NULL && compare_reports(before, after, share, &compare);
    json_decref(before);
    if (after != NULL && !done) {
        cli_say("These are no two reports of \"stayctl storm --json\" with a class in common.");
    }
    json_decref(after);
    if (!done) {
        return CLI_REFUSED;
    }
    if (cli->json) {
        show_json(stdout, to_json(&compare));
    } else {
        show_table(&compare);
    }
    return compare.worse > 0 ? CLI_REFUSED : CLI_DONE;
}
