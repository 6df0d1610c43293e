"""Front proxies: whose certificate may say who the user is, and how the headers are read."""

import hashlib
import ssl

import pytest

from controlplane.apiserver.call import User
from controlplane.apiserver.identity.front_proxies import FrontProxies, FrontSettings, Met, named_user
from controlplane.apiserver.identity.users import AUTHENTICATED
from kit import pki
from kit.http.model import Peer, Request
from tests.scenario.apiserver.test_apiserver_fuzz import Carrier

CLIENTS, PROXIES = pki.make_ca("clients").cert.decode(), pki.make_ca("proxies").cert.decode()
JANE = [(b"X-Remote-User", b"jane")]


def hashed(cert: str) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(cert)).hexdigest()


def peer(name: str, *authorities: str) -> Peer:
    return Peer(name, (), "f", ("f", *map(hashed, authorities)))


@pytest.mark.parametrize(
    ("headers", "user"),
    [
        (JANE, User("jane", (AUTHENTICATED,))),
        ([(b"x-remote-user", b"jane"), (b"x-remote-user", b"joe")], User("jane", (AUTHENTICATED,))),
        ([], None),
        ([(b"x-remote-user", b""), (b"x-remote-group", b"devs")], None),
        (
            [*JANE, (b"X-Remote-Group", b"a"), (b"X-REMOTE-GROUP", b"b,c"), (b"x-remote-group", b"")],
            User("jane", ("a", "b,c", AUTHENTICATED)),
        ),
        ([*JANE, (b"x-remote-uid", b"7")], User("jane", (AUTHENTICATED,), "7")),
        (
            [*JANE, (b"X-Remote-Extra-Scopes", b"a"), (b"x-remote-extra-scopes", b"b"), (b"X-Remote-Extra-Acme.com%2Fproject", b"p")],
            User("jane", (AUTHENTICATED,), "", (("acme.com/project", ("p",)), ("scopes", ("a", "b")))),
        ),
        ([(b"x-remote-user", b"system:anonymous")], User("system:anonymous")),
        ([*JANE, (b"x-remote-group", b"system:unauthenticated")], User("jane", ("system:unauthenticated",))),
        ([(b"x-remote-user", "jür".encode())], User("jür", (AUTHENTICATED,))),
    ],
)  # fmt: skip
def test_whom_headers_name(headers: list[tuple[bytes, bytes]], user: User | None) -> None:
    assert named_user(FrontSettings(PROXIES), headers) == user


def test_headers_of_other_names() -> None:
    settings = FrontSettings(PROXIES, (), ("X-A", "X-B"), (), ("X-G", "X-H"), ("X-E-", "X-F-"))
    headers = [
        (b"x-b", b"jane"),
        (b"x-h", b"2"),
        (b"x-g", b"1"),
        (b"x-f-k", b"2"),
        (b"x-e-k", b"1"),
        (b"x-remote-user", b"joe"),
    ]
    assert named_user(settings, headers) == User("jane", ("1", "2", AUTHENTICATED), "", (("k", ("1", "2")),))


USER = User("jane", (AUTHENTICATED,), "", (("a", ("b",)),))
CLIENT, PROXY, BOTH = peer("kate", CLIENTS), peer("front", PROXIES), peer("front", PROXIES, CLIENTS)
OTHER, FORGOTTEN = peer("other", PROXIES), Peer("kate", (), "f")


@pytest.mark.parametrize(
    ("who", "names", "headers", "met"),
    [
        (PROXY, ("front",), JANE, Met(USER, stranger=True)),
        (PROXY, (), JANE, Met(USER, stranger=True)),
        (PROXY, ("front",), [], Met(stranger=True)),
        (OTHER, ("front",), JANE, Met(stranger=True)),
        (CLIENT, ("front", "kate"), JANE, Met(peer=CLIENT)),
        (CLIENT, (), JANE, Met(peer=CLIENT)),
        (BOTH, ("front",), JANE, Met(USER, BOTH)),
        (BOTH, ("front",), [], Met(peer=BOTH)),
        (BOTH, ("else",), JANE, Met(peer=BOTH)),
        (FORGOTTEN, (), JANE, Met(stranger=True)),
        (None, (), JANE, Met()),
    ],
)
def test_who_is_met(who: Peer | None, names: tuple[str, ...], headers: list[tuple[bytes, bytes]], met: Met) -> None:
    front = FrontProxies(FrontSettings(PROXIES, names), CLIENTS)
    request = Request("GET", "/", [*headers, (b"x-remote-extra-a", b"b"), (b"accept", b"*")], b"", Carrier(who))
    assert front.meet(request) == met
    assert request.raw_headers == [(b"accept", b"*")], "the headers go no further"
