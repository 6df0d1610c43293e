"""Documents that are large and seldom asked for: kept packed, at a tenth of their size."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass

from controlplane.apiserver.call import Answer, Call


@dataclass(frozen=True, slots=True)
class Kept:
    """One document."""

    packed: bytes
    tag: str

    def answer(self, call: Call, form: str, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
        """The document, unless the client has it."""
        headers = (("ETag", self.tag), *headers)
        if call.has(self.tag):
            return Answer(b"", 304, form, headers)
        return Answer(zlib.decompress(self.packed), 200, form, headers)


def keep(document: bytes) -> Kept:
    """Pack a document; its tag is made of what it says."""
    return Kept(zlib.compress(document), f'"{hashlib.sha512(document).hexdigest().upper()}"')
