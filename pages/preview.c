// SPDX-License-Identifier: ISC
// Writes every page with example data, and the assets, into a folder: `pages_preview FOLDER`. For people who
// work on the look; not installed. Serve the folder with any file server to see it: `python3 -m http.server
// -d FOLDER`.
#include "base/bytes.h"

#include <sys/stat.h>

#include "pages/built.h"
#include "pages/example.h"

static bool write_file(const char *folder, struct view name, struct view body)
{
    char path[4096];
    int size = snprintf(path, sizeof(path), "%s/%.*s", folder, (int)name.size, (const char *)name.data);
    if (size < 0 || (size_t)size >= sizeof(path)) {
        return false;
    }
    FILE *file = fopen(path, "wb");
    if (file == NULL) {
        return false;
    }
    bool written = fwrite(body.data, 1, body.size, file) == body.size;
    return fclose(file) == 0 && written;
}

static bool write_page(const char *folder, const struct example *example)
{
    struct bytes page;
    char name[128];
    bytes_init(&page, PAGES_SIZE_MAX);
    snprintf(name, sizeof(name), "%s.html", example->name);
    bool written = example->render(&page) && write_file(folder, view_of_cstr(name), bytes_view(&page));
    bytes_release(&page);
    return written;
}

int main(int argc, char **argv)
{
    char assets[4096];
    if (argc != 2) {
        fprintf(stderr, "usage: pages_preview FOLDER\n");
        return 2;
    }
    snprintf(assets, sizeof(assets), "%s/assets", argv[1]);
    mkdir(argv[1], 0777);
    mkdir(assets, 0777);
    bool written = true;
    for (size_t i = 0; i < example_count && written; i++) {
        written = write_page(argv[1], &examples[i]);
    }
    for (size_t i = 0; i < pages_asset_count && written; i++) {
        written = write_file(argv[1], pages_assets[i].path, pages_assets[i].body);
    }
    if (!written) {
        perror(argv[1]);
    }
    return written ? 0 : 1;
}
