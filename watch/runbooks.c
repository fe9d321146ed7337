// SPDX-License-Identifier: ISC
// docs/runbooks/ as stayd-watch carries it. Runs in stayd-watch. The text is shown as it was written.
#include "watch/runbooks.h"

#include "watch/file.h"
#include "watch/html.h"

static const struct view ending = VIEW(".md");

static bool is_runbook(const struct file *file)
{
    return file->name.size > ending.size &&
           view_equal(view_from(file->name, file->name.size - ending.size), ending);
}

static struct view name_of(const struct file *file)
{
    return view_first(file->name, file->name.size - ending.size);
}

// "# Title" is the first line.
static struct view title_of(const struct file *file)
{
    struct view rest = file->data;
    struct view line = view_cut(&rest, '\n');
    return view_starts_with(line, VIEW("# ")) ? view_from(line, 2) : name_of(file);
}

void runbooks_list(struct bytes *out)
{
    html_begin(out, "Runbooks", 0);
    bytes_append_view(out, VIEW("<ul>\n"));
    for (unsigned i = 0; i < file_count; i++) {
        if (is_runbook(&file_all[i])) {
            bytes_append_view(out, VIEW("<li><a href=\"/runbooks/"));
            html_text(out, name_of(&file_all[i]));
            bytes_append_view(out, VIEW("\">"));
            html_text(out, title_of(&file_all[i]));
            bytes_append_view(out, VIEW("</a></li>\n"));
        }
    }
    bytes_append_view(out, VIEW("</ul>\n"));
    html_end(out);
}

bool runbooks_read(struct view name, struct bytes *out)
{
    for (unsigned i = 0; i < file_count; i++) {
        if (is_runbook(&file_all[i]) && view_equal(name_of(&file_all[i]), name)) {
            char title[128];
            if (!view_to_cstr(title_of(&file_all[i]), title, sizeof(title))) {
                title[0] = '\0';
            }
            struct view text = file_all[i].data;
            (void)view_cut(&text, '\n');
            html_begin(out, title, 0);
            bytes_append_view(out, VIEW("<pre>"));
            html_text(out, text);
            bytes_append_view(out, VIEW("</pre>\n"));
            html_end(out);
            return true;
        }
    }
    return false;
}
