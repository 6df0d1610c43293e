"""Front proxies: servers that have found out who a user is and say so in headers.

Theory of operation. A proxy proves itself by a certificate of an authority of its own; who has one of the clients' authority is whom it
names, whatever its headers say, and a proxy's certificate names no user of ours. One authority may be both, if the proxies' names
are given: else every client would be one. The headers go no further than here, so nobody behind this server takes them for ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import unquote

from controlplane.apiserver.call import User
from controlplane.apiserver.identity.users import ANONYMOUS, authenticated
from kit.http.model import Peer, Request
from kit.http.tls import fingerprints

RawHeaders = Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class FrontSettings:
    """Whom to believe (`ca` is PEM; no names mean all that it has signed), and in which headers the user is found."""

    ca: str
    names: tuple[str, ...] = ()
    user_headers: tuple[str, ...] = ("X-Remote-User",)
    uid_headers: tuple[str, ...] = ("X-Remote-Uid",)
    group_headers: tuple[str, ...] = ("X-Remote-Group",)
    extra_prefixes: tuple[str, ...] = ("X-Remote-Extra-",)


class Met(NamedTuple):
    """Who brought a request: a user that a proxy names, or the peer itself; `stranger` has a certificate that means nothing here."""

    user: User | None = None
    peer: Peer | None = None
    stranger: bool = False


class FrontProxies:
    """Reads requests on which a front proxy may have written."""

    def __init__(self, settings: FrontSettings, client_ca: str) -> None:
        """Raises kit.http.tls.TlsError."""
        self._settings = settings
        self._proxies, self._clients = fingerprints(settings.ca), fingerprints(client_ca)
        named = (settings.user_headers, settings.uid_headers, settings.group_headers)
        self._headers = frozenset(name.lower() for names in named for name in names)
        self._prefixes = tuple(prefix.lower() for prefix in settings.extra_prefixes)

    def meet(self, request: Request) -> Met:
        """Who it is; takes the headers away."""
        peer, user = request.peer, None
        if peer is not None and self._is_proxy(peer):
            user = named_user(self._settings, request.raw_headers)
        request.raw_headers = [pair for pair in request.raw_headers if not self._is_about_user(pair[0])]
        if peer is None or not self._clients.isdisjoint(peer.chain):
            return Met(user, peer)
        return Met(user, stranger=True)

    def _is_proxy(self, peer: Peer) -> bool:
        names = self._settings.names
        return not self._proxies.isdisjoint(peer.chain) and (not names or peer.common_name in names)

    def _is_about_user(self, name: bytes) -> bool:
        lower = name.decode("latin-1").lower()
        return lower in self._headers or bool(self._prefixes and lower.startswith(self._prefixes))


def named_user(settings: FrontSettings, headers: RawHeaders) -> User | None:
    """Whom the headers name; None if nobody. Pure."""
    found: dict[str, list[str]] = {}
    for raw_name, raw_value in headers:
        found.setdefault(raw_name.decode("latin-1").lower(), []).append(raw_value.decode("utf-8", "replace"))
    name = _first(found, settings.user_headers)
    if not name:
        return None
    uid = _first(found, settings.uid_headers)
    user = User(name, tuple(_values(found, settings.group_headers)), uid, _extra(found, settings.extra_prefixes))
    return user if name == ANONYMOUS.name else authenticated(user)


def _extra(found: dict[str, list[str]], prefixes: Iterable[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    extra: dict[str, list[str]] = {}
    for prefix in prefixes:
        for name, values in found.items():
            if name.startswith(prefix.lower()):
                extra.setdefault(unquote(name[len(prefix) :]), []).extend(values)
    return tuple((key, tuple(values)) for key, values in sorted(extra.items()))


def _first(found: dict[str, list[str]], names: Iterable[str]) -> str:
    """The first value of the first of these headers that has one."""
    return next((found[name.lower()][0] for name in names if found.get(name.lower(), [""])[0]), "")


def _values(found: dict[str, list[str]], names: Iterable[str]) -> Iterator[str]:
    return (value for name in names for value in found.get(name.lower(), ()) if value)
