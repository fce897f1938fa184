"""JSON is read as the module `json` reads it."""

import json
import unittest

from runner.json_text import parse_json


class TheJson(unittest.TestCase):
    def test_json_is_read_as_the_json_module_reads_it(self):
        for text in (' {"a": [1, -2.5e3, true, false, null, "\\u00e4\\ud834\\udd1e\\n\\/"]} \n', '"\u2028"', "1e999"):
            self.assertEqual(parse_json(text), json.loads(text))
        for text in ("", "{'a':1}", '{"a":1,}', "01", '"\n"', "1 2"):
            with self.assertRaises(ValueError, msg=text):
                parse_json(text)
