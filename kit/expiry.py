"""Until when a certificate holds, read without the large library that can do everything."""

import base64
import binascii
import re
from datetime import UTC, datetime

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)
_VERSION, _UTC_TIME, _TIME = 0xA0, 0x17, 0x18


def expiry(pem: bytes) -> float | None:
    """When the first certificate in a file ends to hold, in seconds since 1970; None if there is none that can be read."""
    found = _PEM.search(pem)
    if found is None:
        return None
    try:
        fields = _items(_items(_items(base64.b64decode(found[1]))[0][1])[0][1])
        validity = [one for one in fields if one[0] != _VERSION][3]  # after serial number, algorithm, issuer
        kind, text = _items(validity[1])[1]
        shape = {_UTC_TIME: "%y%m%d%H%M%SZ", _TIME: "%Y%m%d%H%M%SZ"}[kind]
        return datetime.strptime(text.decode("ascii"), shape).replace(tzinfo=UTC).timestamp()
    except (binascii.Error, IndexError, KeyError, ValueError):
        return None


def _items(data: bytes) -> list[tuple[int, bytes]]:
    """What a value of ASN.1 (DER) is made of: the tag and the bytes of each."""
    found = []
    at = 0
    while at < len(data):
        tag, size = data[at], data[at + 1]
        at += 2
        if size & 0x80:
            more = size & 0x7F
            size = int.from_bytes(data[at : at + more], "big")
            at += more
        found.append((tag, data[at : at + size]))
        at += size
    return found
