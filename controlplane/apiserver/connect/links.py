"""Links in proxied answers, rewritten so that they lead through the proxy again.

Only those to the server itself by absolute path are touched: `/login` becomes `/api/v1/namespaces/n/services/s/proxy/login`. In HTML the
tags that have such a link are written anew and all the rest stays as it was, byte for byte.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape, unescape
from urllib.parse import urlsplit, urlunsplit

_ATTRIBUTES = {
    "a": ("href",),
    "applet": ("codebase",),
    "area": ("href",),
    "audio": ("src",),
    "base": ("href",),
    "blockquote": ("cite",),
    "body": ("background",),
    "button": ("formaction",),
    "command": ("icon",),
    "del": ("cite",),
    "embed": ("src",),
    "form": ("action",),
    "frame": ("longdesc", "src"),
    "head": ("profile",),
    "html": ("manifest",),
    "iframe": ("longdesc", "src"),
    "img": ("longdesc", "src", "usemap"),
    "input": ("src", "usemap", "formaction"),
    "ins": ("cite",),
    "link": ("href",),
    "object": ("classid", "codebase", "data", "usemap"),
    "q": ("cite",),
    "script": ("src",),
    "source": ("src",),
    "video": ("poster", "src"),
}
_NAME = re.compile(r"[a-zA-Z][^\s/>]*+")
# The next attribute with its value; nothing where the tag ends. A quote that is never closed takes all the rest.
_ATTRIBUTE = re.compile(r"""[\s/]*+(?:([^\s/>][^\s/>=]*+)(?:\s*+=\s*+("[^"]*+"?|'[^']*+'?|[^\s>]*+))?+)?+""")
# What stands behind these tags is text, up to their end.
_RAW = {
    tag: re.compile(rf"</{tag}(?=[\s/>])", re.IGNORECASE)
    for tag in ("iframe", "noembed", "noframes", "script", "style", "textarea", "title", "xmp")
}


@dataclass(frozen=True, slots=True)
class Rewriter:
    """What one request's links are rewritten by: the proxy's path, and the names by which the server may call itself."""

    prefix: str
    hosts: frozenset[str]

    def link(self, link: str) -> str:
        """A link as it leads through the proxy; what is no URL stays as it is."""
        try:
            url = urlsplit(link)
        except ValueError:
            return link
        if (url.netloc and url.netloc not in self.hosts) or not url.path.startswith("/"):
            return link
        path = url.path
        if not path.startswith(self.prefix):
            path = join(self.prefix, path)
        return urlunsplit(("", "", path, url.query, url.fragment))

    def page(self, text: str) -> str:
        """A page of HTML with its links rewritten."""
        return "".join(_rewritten(self, text))


def join(prefix: str, path: str) -> str:
    """One path behind the other, made plain (no `//`, no `..`), with the slash at the end if there was one."""
    whole = posixpath.normpath("/" + f"{prefix}/{path}".lstrip("/"))
    return whole + "/" if path.endswith("/") and not whole.endswith("/") else whole


def _rewritten(rewriter: Rewriter, text: str) -> Iterator[str]:
    """The pieces of a page. Pages come from strangers: each character is looked at once, whatever stands there."""
    done = position = 0
    while (start := text.find("<", position)) >= 0:
        if text.startswith("<!--", start):
            position = text.find("-->", start + 4) + 3
            if position < 3:
                break
            continue
        name = _NAME.match(text, start + 1)
        if name is None:
            position = start + 1
            continue
        tag, found = name[0].lower(), _attributes(text, name.end())
        if found is None:
            break
        attributes, position = found
        written = _tag(rewriter, tag, attributes)
        if written:
            end = "/>" if text[position - 2] == "/" else ">"
            yield from (text[done:start], written, end)
            done = position
        if tag in _RAW:
            closing = _RAW[tag].search(text, position)
            if closing is None:
                break
            position = closing.end()
    yield text[done:]


def _attributes(text: str, position: int) -> tuple[list[tuple[str, str | None]], int] | None:
    """The attributes of a tag and where it ends; None if it never does."""
    attributes: list[tuple[str, str | None]] = []
    while True:
        match = _ATTRIBUTE.match(text, position)
        assert match is not None  # it matches nothing as well
        position = match.end()
        if not match[1]:
            return (attributes, position + 1) if text.startswith(">", position) else None
        value = match[2]
        if value and value[0] in "\"'":
            if len(value) < 2 or value[-1] != value[0]:
                return None
            value = value[1:-1]
        attributes.append((match[1].lower(), value))


def _tag(rewriter: Rewriter, tag: str, attributes: list[tuple[str, str | None]]) -> str:
    """A tag without its end, written anew; nothing if none of its links changes."""
    names = _ATTRIBUTES.get(tag, ())
    if not any(name in names and value is not None for name, value in attributes):
        return ""
    try:
        read = [(name, None if value is None else unescape(value)) for name, value in attributes]
    except ValueError:  # a character of more digits than Python reads
        return ""
    changed = [(n, rewriter.link(v) if n in names and v is not None else v) for n, v in read]
    if changed == read:
        return ""
    return f"<{tag}" + "".join(f" {n}" if v is None else f' {n}="{escape(v)}"' for n, v in changed)
