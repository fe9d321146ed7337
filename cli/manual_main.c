// SPDX-License-Identifier: ISC
// stayctl-manual page|completion: runs while stayd is built, writes to standard output.
#include "cli/manual.h"

#include <string.h>

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "page") == 0) {
        manual_page(stdout);
    } else if (argc == 2 && strcmp(argv[1], "completion") == 0) {
        manual_completion(stdout);
    } else {
        fputs("usage: stayctl-manual page|completion\n", stderr);
        return 2;
    }
    return fflush(stdout) == 0 ? 0 : 1;
}
