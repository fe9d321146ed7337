#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Compiles files as they are into one C file: embed_files.py OUTPUT.c HEADER SYMBOL FILE...

HEADER declares `const struct SYMBOL SYMBOL_all[]` with a name (without folders) and the data, both views, and
`const unsigned SYMBOL_count`.
"""
import os
import sys

from embed_pages import c_view


def main(output, header, symbol, paths):
    lines = ["// Made by tools/embed_files.py; not to be edited.", '#include "%s"' % header, "",
             "const struct %s %s_all[] = {" % (symbol, symbol)]
    for path in paths:
        with open(path, "rb") as file:
            data = file.read()
        lines.append("    {%s,\n     %s}," % (c_view(os.path.basename(path).encode()), c_view(data)))
    lines += ["};", "const unsigned %s_count = sizeof(%s_all) / sizeof(%s_all[0]);" % ((symbol,) * 3)]
    with open(output, "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])
