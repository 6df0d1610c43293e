"""What /etc/resolv.conf says, as a result says it. Pure."""

from typing import Any

_FIELDS = {"nameserver": "nameservers", "search": "search", "options": "options"}


def parse(text: str) -> dict[str, Any]:
    """The DNS part of a result; of several domains the last counts."""
    found: dict[str, Any] = {}
    for line in text.splitlines():
        words = line.split()
        if not words or words[0][0] in "#;":
            continue
        if words[0] == "domain" and len(words) > 1:
            found["domain"] = words[1]
        elif words[0] in _FIELDS:
            found[_FIELDS[words[0]]] = found.get(_FIELDS[words[0]], []) + words[1:]
    return found
