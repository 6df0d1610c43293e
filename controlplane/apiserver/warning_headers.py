"""Warning headers: what the client should know although its request was answered.

Each text comes once. What is too long altogether is told in pieces: then no text has more than `SHORT` characters, and those
that come after the limit are left out.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from api.warnings import deprecation
from controlplane.apiserver.call import Call

LONGEST, SHORT = 4096, 256  # characters: of all texts, and of each when they are too long

Headers = tuple[tuple[str, str], ...]


def headers(call: Call) -> Headers:
    """The headers that go with the answer to a call."""
    target = call.target
    kind = target.shown_as or target.kind
    old = deprecation(kind) if kind is not None else ""
    if not old and not call.warnings:
        return ()
    return render([old, *call.warnings] if old else call.warnings)


def render(texts: Iterable[str]) -> Headers:
    """A header for each text."""
    distinct = list(dict.fromkeys(text for text in texts if text))
    if sum(map(len, distinct)) > LONGEST:
        distinct = _shortened(distinct)
    return tuple(("Warning", f'299 - "{_escaped(text)}"') for text in distinct if _printable(text))


def _shortened(texts: list[str]) -> list[str]:
    kept, used, fits = [], 0, 0
    for number, text in enumerate(texts):
        used += len(text)
        if used > LONGEST:
            fits = number + 1  # up to the one that was too much, all are told in any case
            break
    used = 0
    for number, text in enumerate(texts):
        if number >= fits and used >= LONGEST:
            break
        kept.append(text[:SHORT])
        used += len(kept[-1])
    return kept


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _printable(text: str) -> bool:
    """Whether a header can hold the text."""
    return text.isprintable() or not any(unicodedata.category(letter) in ("Cc", "Cs") for letter in text)
