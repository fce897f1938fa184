"""The mask over the values of secrets in what a script prints."""

import os

from .contract import KIB


class SecretMask:
    """Puts `***` for each value in the text of one stream, which comes in pieces.

    What a value may have begun in is held back. Time is linear in the text: values are found by the interpreter's own
    search, and only the last bytes, fewer than a value has, are looked at one by one.
    """

    STARS = b"***"
    SLICE_BYTES = 64 * KIB  # bounds the memory that a value of one character may take

    def __init__(self, values):
        # As the stream turns bytes into text, so that one that is not UTF-8 is found, too.
        texts = {os.fsencode(value).decode("utf-8", "replace").encode() for value in values}
        self.needles = [Needle(value) for value in texts if value]
        self.held = b""
        self.hidden = 0  # how much of the front of `held` is covered by stars that are out already

    def feed(self, data, final=False):
        """The next bytes that are decided; `data` is whole characters, and so are they."""
        slices = [data[at : at + self.SLICE_BYTES] for at in range(0, len(data), self.SLICE_BYTES)]
        decided = [self._feed_slice(each, False) for each in slices]
        if final:
            decided.append(self._feed_slice(b"", True))
        return b"".join(decided)

    def _feed_slice(self, data, final):
        text = self.held + data
        held_from = len(text) - (0 if final else self._undecided(text))
        pieces, shown = [], self.hidden
        for start, end in sorted(found for needle in self.needles for found in needle.occurrences(text)):
            if start >= held_from:
                break
            if start >= shown:  # else it overlaps the one before
                pieces += text[shown:start], self.STARS
            shown = max(shown, end)
        if shown < held_from:
            pieces.append(text[shown:held_from])
        self.held = text[held_from:]
        self.hidden = max(0, shown - held_from)
        return b"".join(pieces)

    def _undecided(self, text):
        """The length of the longest end of the text that is the beginning of a value and not the whole of it."""
        return max((needle.begun(text) for needle in self.needles), default=0)


class Needle:
    """A value and what it shares with itself, which bounds how often a byte of the text is looked at."""

    def __init__(self, value):
        self.value = value
        self.borders = border_lengths(value)
        self.period = len(value) - self.borders[-1]

    def occurrences(self, text):
        """(start, end) of what occurrences cover; those that follow each other by the value's own period are one."""
        value, period = self.value, self.period
        overlaps_itself, step = period < len(value), value[-period:]
        start = text.find(value)
        while start >= 0:
            end = start + len(value)
            while overlaps_itself and text.startswith(step, end):
                end += period
            yield start, end
            # None begins before this: overlapping by a period or more, it would have the same period, and be found.
            start = text.find(value, end - period + 1)

    def begun(self, text):
        """How many of the last bytes of the text are the beginning of the value; less than its length."""
        value, borders = self.value, self.borders
        at, end, length = max(0, len(text) - len(value) + 1), len(text), 0
        while at < end:
            if not length:
                at = text.find(value[:1], at)
                if at < 0:
                    return 0
            while length and value[length] != text[at]:
                length = borders[length - 1]
            length += value[length] == text[at]
            at += 1
        return length


def border_lengths(value):
    """For each beginning of the value the length of its longest border (Knuth, Morris, Pratt)."""
    borders, length = [0], 0
    for byte in value[1:]:
        while length and value[length] != byte:
            length = borders[length - 1]
        length += value[length] == byte
        borders.append(length)
    return borders
