#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Compiles the page templates and assets into one C file, so that nothing is opened at run time.

usage: embed_pages.py OUTPUT.c FILE...     (pages: *.html whose first line is "title: …"; the rest are parts or assets)

Refuses, as a build error: a value anywhere but in text or in an attribute in double quotes; a plain value in an
attribute that holds a URL or code; inline style or script; sections that don't close. See pages/template.h.
"""
import hashlib
import os
import re
import sys

DEPTH_MAX = 8
URL_ATTRIBUTES = {"href", "src", "action", "formaction", "poster", "data", "srcset"}
TYPES = {".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
TAG = re.compile(r"\{\{\s*([#^/%@>!]?)\s*([^}]*?)\s*\}\}")


class Mistake(Exception):
    pass


def c_string(data):
    """A C string literal of these bytes, in lines. '?' is escaped because of trigraphs."""
    lines, line = [], ""
    for byte in data:
        char = chr(byte)
        if char == "\n":
            lines.append(line + "\\n")
            line = ""
        elif char in '"\\?':
            line += "\\" + char
        elif 32 <= byte < 127:
            line += char
        else:
            line += "\\%03o" % byte
    lines.append(line)
    return "\n        ".join('"%s"' % part for part in lines if part) or '""'


def c_view(data):
    return "{(const uint8_t *)%s, %d}" % (c_string(data), len(data))


def minify(name, text):
    """Comments and indentation out; text content and one line break an element stay."""
    if name.endswith(".css"):
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    else:
        text = re.sub(r"<!--.*?-->", "", text, flags=re.S)
    return re.sub(r"\n\s*", "\n", text).strip() + "\n"


def expand(text, parts, seen=()):
    def part(match):
        if match.group(1) == "!":
            return ""
        if match.group(1) != ">":
            return match.group(0)
        name = match.group(2)
        if name not in parts:
            raise Mistake("no part named " + name)
        if name in seen:
            raise Mistake("part includes itself: " + name)
        return expand(parts[name], parts, seen + (name,)).rstrip("\n")

    return TAG.sub(part, text)


class Context:
    """Follows the HTML just enough to know where a value stands."""

    def __init__(self):
        self.state, self.attribute, self.element, self.tag = "text", "", "", ""

    def feed(self, text):
        for char in text:
            if self.state == "text":
                if char == "<":
                    self.state, self.tag = "tag", ""
            elif self.state == "tag":
                if char == '"':
                    match = re.search(r"([\w:-]+)=$", self.tag)
                    if not match:
                        raise Mistake("a quote without an attribute in <" + self.tag)
                    self.state, self.attribute, self.value = "quoted", match.group(1).lower(), ""
                    if self.attribute == "style" or self.attribute.startswith("on"):
                        raise Mistake("inline style or script: " + self.attribute)
                elif char == ">":
                    self.element = self.tag.split()[0].lower() if self.tag.split() else ""
                    if self.element in ("script", "style", "!--", "iframe", "object", "embed"):
                        raise Mistake("not allowed: <" + self.element)
                    self.state = "text"
                elif char == "'":
                    raise Mistake("attributes take double quotes")
                else:
                    self.tag += char
            elif self.state == "quoted":
                if char == '"':
                    self.state, self.tag = "tag", self.tag + "…"
                    if self.attribute in URL_ATTRIBUTES and not re.match(r"/(?!/)|#", self.value):
                        raise Mistake("not a path of ours: " + self.value)
                else:
                    self.value += char

    def check_value(self, sigil):
        if self.state == "tag":
            raise Mistake("a value outside quotes in <" + self.tag)
        if sigil == "@" and self.state != "text":
            raise Mistake("a time inside an attribute")
        if self.state == "quoted" and self.attribute in URL_ATTRIBUTES:
            if sigil != "%":
                raise Mistake("a plain value in " + self.attribute)
            if "?" not in self.value:
                raise Mistake("a value before the query in " + self.attribute)
        if self.state == "text" and sigil == "%":
            raise Mistake("a percent-encoded value in text")


def compile_template(text):
    """Ops: [kind, end, text]."""
    ops, stack, context, at = [], [], Context(), 0
    for match in TAG.finditer(text):
        literal = text[at : match.start()]
        at = match.end()
        if literal:
            ops.append(["TEXT", 0, literal])
            context.feed(literal)
        sigil, name = match.groups()
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise Mistake("not a name: " + match.group(0))
        if sigil in "#^" and sigil:
            stack.append(len(ops))
            if len(stack) > DEPTH_MAX:
                raise Mistake("sections nest too deep")
            ops.append(["SECTION" if sigil == "#" else "INVERTED", 0, name])
        elif sigil == "/":
            if not stack or ops[stack[-1]][2] != name:
                raise Mistake("closes what is not open: " + name)
            ops[stack.pop()][1] = len(ops)
            ops.append(["END", 0, name])
        else:
            context.check_value(sigil)
            ops.append([{"": "VALUE", "%": "QUERY", "@": "TIME"}[sigil], 0, name])
    context.feed(text[at:])
    if text[at:]:
        ops.append(["TEXT", 0, text[at:]])
    if stack:
        raise Mistake("never closed: " + ops[stack[-1]][2])
    if context.state != "text":
        raise Mistake("ends inside a tag")
    return ops


def page_text(text, parts):
    """A page: 'title: …', then 'layout: …', an empty line and the body."""
    head, _, body = text.partition("\n\n")
    fields = dict(line.split(": ", 1) for line in head.split("\n"))
    with_body = dict(parts, title=fields["title"], body=body)
    return expand(parts[fields["layout"]], with_body)


def emit_page(out, name, text):
    ops = compile_template(text)
    out.append("static const struct template_op %s_ops[] = {" % name)
    for kind, end, literal in ops:
        out.append("    {TEMPLATE_%s, %d,\n     %s}," % (kind, end, c_view(literal.encode())))
    out.append("};")
    out.append(
        "const struct template pages_template_%s = {%s_ops, sizeof(%s_ops) / sizeof(%s_ops[0])};\n"
        % (name, name, name, name)
    )


def emit_assets(out, assets):
    out.append("const struct pages_asset pages_assets[] = {")
    for name, data, digest in assets:
        kind = TYPES[os.path.splitext(name)[1]]
        out.append(
            "    {%s, %s, %s,\n     %s},"
            % (c_view(b"/assets/" + name.encode()), c_view(kind.encode()), c_view(digest.encode()), c_view(data))
        )
    out.append("};")
    out.append("const size_t pages_asset_count = sizeof(pages_assets) / sizeof(pages_assets[0]);")


def main(output, paths):
    pages, parts, assets = {}, {}, []
    for path in sorted(paths, key=lambda p: os.path.splitext(p)[1] == ".css"):
        name, extension = os.path.splitext(os.path.basename(path))
        with open(path, encoding="utf-8") as file:
            text = minify(path, file.read())
        if extension == ".html" and text.startswith("title: "):
            with open(path, encoding="utf-8") as file:
                pages[name] = (path, file.read())
        elif extension == ".html":
            parts[name] = text
        else:
            for other, _, digest in assets:
                text = text.replace("/assets/%s)" % other, "/assets/%s?v=%s)" % (other, digest))
            digest = hashlib.sha256(text.encode()).hexdigest()[:16]
            assets.append((name + extension, text.encode(), digest))
            parts["hash_" + name] = digest
    out = [
        "// Made by tools/embed_pages.py from the files in pages/; not to be edited.",
        '#include "pages/built.h"',
        "",
    ]
    for name, (path, text) in sorted(pages.items()):
        try:
            emit_page(out, name, minify(path, page_text(text, parts)))
        except (Mistake, KeyError) as mistake:
            sys.exit("%s: %s" % (path, mistake))
    emit_assets(out, assets)
    with open(output, "w", encoding="ascii") as file:
        file.write("\n".join(out) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
