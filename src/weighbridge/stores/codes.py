"""Texts of one field as small whole numbers: the same text, the same code, for as long as the state remembers it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from weighbridge.kernel.arrays import Ints


class Codes:
    """The codes of one text field. A text that no retained event names can be forgotten, and its code given anew."""

    def __init__(self, texts: Sequence[str | None] = (), newest_us: Sequence[int] = ()) -> None:
        self.texts = list(texts)
        self.newest_us = list(newest_us)  # the newest event that names the text
        self._codes = {text: code for code, text in enumerate(self.texts) if text is not None}
        self._free = [code for code, text in enumerate(self.texts) if text is None]
        self._looked = 0

    def __len__(self) -> int:
        return len(self.texts)

    def known(self, text: str) -> int | None:
        """Return a text's code, or None."""
        return self._codes.get(text)

    def code(self, text: str) -> int:
        """Return a text's code, a new one for a new text."""
        found = self._codes.get(text)
        if found is None:
            found = self._free.pop() if self._free else len(self.texts)
            if found == len(self.texts):
                self.texts.append(text)
                self.newest_us.append(0)
            self.texts[found], self.newest_us[found] = text, 0
            self._codes[text] = found
        return found

    def named(self, code: int, event_us: int) -> None:
        """Note that an event names a code."""
        if event_us > self.newest_us[code]:
            self.newest_us[code] = event_us

    def named_by(self, codes: Ints, event_us: Ints) -> None:
        """Note which events name which codes; int64[n] each."""
        newest = np.array(self.newest_us, dtype=np.int64)
        np.maximum.at(newest, codes, event_us)
        self.newest_us = newest.tolist()

    def forgettable(self, before_us: int, looks: int) -> list[int]:
        """Return, of the next so many codes in turn, those that only events at or before a time name."""
        found, count, looked = [], len(self.texts), self._looked
        for _ in range(min(looks, count)):
            looked = looked + 1 if looked + 1 < count else 0
            if self.newest_us[looked] <= before_us and self.texts[looked] is not None:
                found.append(looked)
        self._looked = looked
        return found

    def forget(self, code: int) -> None:
        """Forget a text; its code may come to mean another."""
        text = self.texts[code]
        if text is not None:
            del self._codes[text]
            self.texts[code] = None
            self._free.append(code)
