"""The mask over the values of secrets."""

import os
import random
import time
import unittest

from runner.mask import SecretMask
from .support import end


def masked(text, values):
    """What a mask makes of a whole text, in the plainest way: every occurrence, those that overlap as one."""
    spans = []
    for value in filter(None, values):
        spans += [(at, at + len(value)) for at in range(len(text)) if text.startswith(value, at)]
    merged = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([start, end])
    result, shown = b"", 0
    for start, end in merged:
        result += text[shown:start] + b"***"
        shown = end
    return result + text[shown:]


class TheMask(unittest.TestCase):
    def fed(self, values, pieces):
        mask = SecretMask([os.fsdecode(value) for value in values])
        return [mask.feed(piece) for piece in pieces] + [mask.feed(b"", final=True)]

    def test_a_value_is_found_wherever_writes_split_it(self):
        text = "vor s3kr\nét vor s3kr\nét nach".encode()
        values = ["s3kr\nét".encode()]
        expected = text.replace(values[0], b"***")
        for first in range(len(text) + 1):
            for second in range(first, len(text) + 1):
                pieces = [text[:first], text[first:second], text[second:]]
                self.assertEqual(b"".join(self.fed(values, pieces)), expected)

    def test_only_what_may_still_become_a_value_is_held_back(self):
        shown = self.fed([b"secret"], [b"the sec", b"ond s", b"ecre", b"t", b"s"])
        self.assertEqual(shown, [b"the ", b"second ", b"", b"***", b"", b"s"])

    def test_values_that_overlap_become_one_mask_and_neighbours_two(self):
        for values, text, expected in (
            ([b"key", b"key-long"], b"key-long key-lon", b"*** ***-lon"),
            ([b"abc", b"bcde"], b"abcde abcd bcde", b"*** ***d ***"),
            ([b"aa"], b"aaa aaaa a", b"*** *** a"),
            ([b"aabaa"], b"aabaaabaa aabaabaa", b"*** ***"),
            ([b"ab"], b"ababab", b"*********"),
            ([b"abcde", b"c"], b"abcdx", b"ab***dx"),
            ([b"", b"x"], b"xyz", b"***yz"),
            ([b"*"], b"a*b", b"a***b"),
        ):
            with self.subTest(text):
                self.assertEqual(masked(text, values), expected)
                self.assertEqual(b"".join(self.fed(values, [text])), expected)
                self.assertEqual(b"".join(self.fed(values, [bytes([byte]) for byte in text])), expected)

    def test_any_text_in_any_pieces_comes_out_as_if_it_were_whole(self):
        rng = random.Random(7)
        for _ in range(20_000):
            alphabet = rng.choice([b"a", b"ab", b"abc", "aé€".encode()])
            letters = list(alphabet.decode())
            word = lambda low, high: "".join(rng.choices(letters, k=rng.randint(low, high))).encode()  # noqa: E731
            values = [word(0, 6) for _ in range(rng.randint(1, 3))]
            text = b"".join(rng.choice([word(0, 5), rng.choice(values)]) for _ in range(rng.randint(0, 6)))
            pieces, rest = [], text
            while rest:
                size = rng.choice([1, 2, 3, 4, len(text)])
                pieces.append(rest[:size])
                rest = rest[size:]
            self.assertEqual(b"".join(self.fed(values, pieces)), masked(text, values), (values, pieces))

    def test_its_time_is_linear_for_texts_that_are_made_to_be_hard(self):
        size = 16_000
        for values, piece in (
            ([b"a" * size + b"b"], b"a" * 65536),
            ([b"a" * size], b"a" * 65536),
            ([b"b" + b"a" * size], b"a" * 65536),
            ([b"a" * (size // 2) + b"b" + b"a" * (size // 2)], (b"a" * (size // 2) + b"c") * 8),
            ([b"ab" * (size // 2) + b"c"], b"ab" * 32768),
            ([b"a" * size], (b"a" * (size + 3) + b"b") * 4),
            ([b"a"], b"a" * 65536),
        ):
            with self.subTest(values[0][:3]):
                began = time.process_time()
                self.fed(values, [piece] * 16)
                self.assertLess(time.process_time() - began, 20)
