#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What the template compiler refuses and accepts."""
import unittest

import embed_pages as embed

REFUSED = {
    "value as an attribute": "<p {{x}}>",
    "value in an unquoted attribute": "<p title={{x}}>",
    "value as an element": "<{{x}}>",
    "plain value in a URL": '<a href="/login?rd={{x}}">',
    "value in the path of a URL": '<a href="/{{%x}}">',
    "value as a whole URL": '<a href="{{%x}}">',
    "another host": '<a href="//evil.example">',
    "a scheme": '<a href="https://evil.example">',
    "percent-encoding in text": "<p>{{%x}}</p>",
    "time in an attribute": '<p title="{{@x}}">',
    "inline style": '<p style="color: red">',
    "inline handler": '<p onclick="x()">',
    "script": "<script>x()</script>",
    "style element": "<style>p{}</style>",
    "single quotes": "<p title='x'>",
    "section not closed": "{{#x}}<p>",
    "section closed twice": "{{#x}}{{/x}}{{/x}}",
    "sections crossed": "{{#x}}{{#y}}{{/x}}{{/y}}",
    "odd name": "{{X-1}}",
    "raw value": "{{{x}}}",
    "cut tag": "<p",
    "too deep": "{{#x}}" * 9 + "{{/x}}" * 9,
}


class EmbedPages(unittest.TestCase):
    def test_refusals(self):
        for what, text in REFUSED.items():
            with self.subTest(what), self.assertRaises(embed.Mistake):
                embed.compile_template(text)

    def test_operations(self):
        ops = embed.compile_template('<a href="/a?b={{%c}}" title="{{d}}">{{#e}}{{@f}}{{/e}}{{^e}}-{{/e}}</a>')
        kinds = [op[0] for op in ops]
        self.assertEqual(
            kinds,
            ["TEXT", "QUERY", "TEXT", "VALUE", "TEXT", "SECTION", "TIME", "END", "INVERTED", "TEXT", "END", "TEXT"],
        )
        self.assertEqual((ops[5][1], ops[8][1]), (7, 10))

    def test_parts(self):
        self.assertEqual(embed.expand("a{{> b}}{{! note}}d", {"b": "{{> c}}", "c": "c\n"}), "acd")
        for text in ("{{> missing}}", "{{> loop}}"):
            with self.assertRaises(embed.Mistake):
                embed.expand(text, {"loop": "{{> loop}}"})

    def test_literals(self):
        self.assertEqual(embed.c_string("é?\"\\\n1".encode()), '"\\303\\251\\?\\"\\\\\\n"\n        "1"')


if __name__ == "__main__":
    unittest.main()
