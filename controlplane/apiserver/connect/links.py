"""Links in proxied answers, rewritten so that they lead through the proxy again.

Only those to the server itself by absolute path are touched: `/login` becomes `/api/v1/namespaces/n/services/s/proxy/login`. In HTML the
tags that have such a link are written anew and all the rest stays as it was, byte for byte.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from html import escape
from html.parser import HTMLParser
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
        found = _Links(self, text)
        found.feed(text)
        found.close()
        return found.rewritten()


def join(prefix: str, path: str) -> str:
    """One path behind the other, made plain (no `//`, no `..`), with the slash at the end if there was one."""
    whole = posixpath.normpath("/" + f"{prefix}/{path}".lstrip("/"))
    return whole + "/" if path.endswith("/") and not whole.endswith("/") else whole


class _Links(HTMLParser):
    """Finds the tags with links, and where they stand."""

    def __init__(self, rewriter: Rewriter, text: str) -> None:
        super().__init__(convert_charrefs=False)
        self._rewriter = rewriter
        self._text = text
        self._lines = [0]
        for line in text.split("\n"):
            self._lines.append(self._lines[-1] + len(line) + 1)
        self._changes: list[tuple[int, int, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag that may have links."""
        self._tag(tag, attrs, ">")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """The same, closed at once."""
        self._tag(tag, attrs, "/>")

    def _tag(self, tag: str, attrs: list[tuple[str, str | None]], end: str) -> None:
        names = _ATTRIBUTES.get(tag, ())
        changed = [
            (name, self._rewriter.link(value) if name in names and value is not None else value)
            for name, value in attrs
        ]
        raw = self.get_starttag_text()
        if changed == attrs or raw is None:
            return
        line, column = self.getpos()
        start = self._lines[line - 1] + column
        written = "".join(f" {name}" if value is None else f' {name}="{escape(value)}"' for name, value in changed)
        self._changes.append((start, start + len(raw), f"<{tag}{written}{end}"))

    def rewritten(self) -> str:
        """The text with the new tags in it."""
        pieces: list[str] = []
        position = 0
        for start, end, tag in self._changes:
            pieces += (self._text[position:start], tag)
            position = end
        return "".join((*pieces, self._text[position:]))
