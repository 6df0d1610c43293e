"""TLS on both sides: trust, client certificates, renewal of the server's certificate."""

import asyncio
import hashlib
import socket
import ssl
from pathlib import Path
from unittest.mock import ANY

import pytest

from kit import pki
from kit.http.client import ConnectFailed, HttpClient
from kit.http.model import Peer, Request, Response
from kit.http.server import Server
from kit.http.tls import ServerTls, TlsError, client_context, fingerprints


class Place:
    """A CA, a serving certificate in files, and a client certificate."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ca = pki.make_ca("test-ca")
        (path / "ca.crt").write_bytes(self.ca.cert)
        self.issue_serving("server-1")
        self.client = pki.issue(self.ca, "admin", ["system:masters", "devs"], client=True)

    def issue_serving(self, name: str, *ips: str) -> None:
        pair = pki.issue(self.ca, name, dns=["localhost"], ips=ips or ["127.0.0.1"], server=True)
        pair.save(self.path / "s.crt", self.path / "s.key")

    def tls(self, **options: bool) -> ServerTls:
        return ServerTls(self.path / "s.crt", self.path / "s.key", self.path / "ca.crt", **options)

    def context(self, pair: pki.Pair | None = None) -> ssl.SSLContext:
        return client_context(self.ca.cert, *(pair or (None, None)))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("pki"))


def who(request: Request) -> Response:
    return Response(200, repr(request.peer).encode(), "text/plain")


def hashed(pair: pki.Pair) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pair.cert.decode())).hexdigest()


async def test_client_certificates_are_optional_and_named(place: Place) -> None:
    async with Server(who, tls=place.tls()) as server:
        fingerprint = hashed(place.client)
        chain = (fingerprint, hashed(place.ca))
        for pair, peer in ((place.client, Peer("admin", ("system:masters", "devs"), fingerprint, chain)), (None, None)):
            client = HttpClient("127.0.0.1", server.port, place.context(pair))
            for _ in range(2):
                assert (await client.request("GET", "/")).body == repr(peer).encode()
            assert len(server._connections) == 1
            await client.close()
            while server._connections:
                await asyncio.sleep(0.001)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_by_which_of_two_authorities_a_client_is_believed(
    place: Place, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    """Also when it resumes a session, where nothing but its own certificate is left."""
    other = pki.make_ca("test-ca")  # of the same name
    (tmp_path / "other.crt").write_bytes(other.cert)
    tls = ServerTls(place.path / "s.crt", place.path / "s.key", place.path / "ca.crt", other_ca=tmp_path / "other.crt")
    chains: list[tuple[str, ...]] = []

    def note(request: Request) -> Response:
        assert request.peer is not None
        chains.append(request.peer.chain)
        return Response(200)

    def visit(context: ssl.SSLContext, port: int, session: ssl.SSLSession | None) -> tuple[ssl.SSLSession | None, bool]:
        with (
            socket.create_connection(("127.0.0.1", port)) as plain,
            context.wrap_socket(plain, server_hostname="localhost", session=session) as secure,
        ):
            secure.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert secure.recv(1000).startswith(b"HTTP/1.1 200")
            return secure.session, bool(secure.session_reused)

    async with Server(note, tls=tls) as server:
        for authority in (place.ca, other):
            pair = pki.issue(authority, "admin", client=True)
            context = place.context(pair)
            context.maximum_version = version
            session, resumed = await asyncio.to_thread(visit, context, server.port, None)
            assert not resumed
            assert await asyncio.to_thread(visit, context, server.port, session) == (ANY, True)
            expected = (hashed(pair), hashed(authority))
            assert chains == [expected, expected]
            chains.clear()


def test_the_certificates_of_a_bundle(place: Place) -> None:
    other = pki.make_ca("b")
    bundle = f"{place.ca.cert.decode()}# comment\n{other.cert.decode()}"
    assert fingerprints(bundle) == {hashed(place.ca), hashed(other)}
    assert fingerprints(place.client.cert.decode()) == fingerprints("") == frozenset()
    for nonsense in ("nothing", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", "\u00fc"):
        with pytest.raises(TlsError, match="cannot read a bundle of certificates"):
            fingerprints(nonsense)


async def test_a_stranger_s_certificate_is_refused(place: Place) -> None:
    stranger = pki.issue(pki.make_ca("test-ca"), "admin", ["system:masters"], client=True)
    async with Server(who, tls=place.tls()) as server:
        with pytest.raises(ConnectFailed):
            await HttpClient("127.0.0.1", server.port, place.context(stranger)).request("GET", "/")
        with pytest.raises(ConnectFailed):
            server_pair = pki.issue(place.ca, "x", server=True)  # a serving certificate proves no client
            await HttpClient("127.0.0.1", server.port, place.context(server_pair)).request("GET", "/")


async def test_a_server_that_is_not_trusted(place: Place) -> None:
    other = client_context(pki.make_ca("other").cert)
    async with Server(who, tls=place.tls()) as server:
        with pytest.raises(ConnectFailed, match="cannot trust 127.0.0.1"):
            await HttpClient("127.0.0.1", server.port, other).request("GET", "/")
        with pytest.raises(ConnectFailed, match="cannot trust"):
            await HttpClient("127.0.0.1", server.port, place.context(), server_name="elsewhere").request("GET", "/")
        unchecked = HttpClient("127.0.0.1", server.port, client_context(verify=False))
        assert (await unchecked.request("GET", "/")).status == 200
        await unchecked.close()


async def test_plain_http_to_a_tls_port_and_the_other_way_round(place: Place) -> None:
    async with Server(who, tls=place.tls()) as server, Server(who) as plain:
        with pytest.raises(ConnectFailed):
            await HttpClient("127.0.0.1", server.port).request("GET", "/", timeout=60)
        with pytest.raises(ConnectFailed):
            await HttpClient("127.0.0.1", plain.port, place.context()).request("GET", "/", timeout=60)


async def test_a_renewed_certificate_is_shown_to_new_connections(place: Place) -> None:
    def shown(client: HttpClient) -> str:
        tls = client._idle[0]._transport.get_extra_info("ssl_object")
        return str(dict(pair for group in tls.getpeercert()["subject"] for pair in group)["commonName"])

    tls = place.tls()
    async with Server(who, tls=tls) as server:
        first = HttpClient("127.0.0.1", server.port, place.context())
        await first.request("GET", "/")
        assert shown(first) == "server-1"
        place.issue_serving("server-2")
        tls.reload()
        await first.request("GET", "/")
        assert shown(first) == "server-1"  # the connection goes on
        second = HttpClient("127.0.0.1", server.port, place.context())
        await second.request("GET", "/")
        assert shown(second) == "server-2"
        await first.close()
        await second.close()
    place.issue_serving("server-1")


async def test_a_stream_over_tls_to_a_reader_that_is_too_slow_is_cut(place: Place) -> None:
    from tests.unit.kit.wire import Site

    site = Site()
    async with Server(site, tls=place.tls()) as server:
        client = HttpClient("127.0.0.1", server.port, place.context())
        async with client.stream("GET", "/stream") as incoming:
            assert incoming.status == 200
            for _ in range(2000):
                site.streams[0].write(b"x" * 65536)
                await asyncio.sleep(0)
                if site.streams[0].closed:
                    break
            assert site.streams[0].closed


@pytest.mark.parametrize("broken", ["missing", "swapped", "garbage"])
def test_unusable_files_are_clear_errors(place: Place, tmp_path_factory: pytest.TempPathFactory, broken: str) -> None:
    path = tmp_path_factory.mktemp("bad")
    cert, key = place.path / "s.crt", place.path / "s.key"
    if broken == "missing":
        cert = path / "none"
    elif broken == "swapped":
        pki.issue(place.ca, "x", server=True).save(path / "x.crt", path / "x.key")
        key = path / "x.key"
    else:
        (path / "g").write_bytes(b"garbage")
        cert = path / "g"
    with pytest.raises(TlsError, match=f"cannot use certificate {cert}"):
        ServerTls(cert, key)


def test_a_failed_reload_keeps_the_old_certificate(place: Place) -> None:
    tls = place.tls()
    good = (place.path / "s.crt").read_bytes()
    (place.path / "s.crt").write_bytes(b"garbage")
    with pytest.raises(TlsError):
        tls.reload()
    (place.path / "s.crt").write_bytes(good)
    tls.reload()


def test_unusable_pem_is_a_clear_error() -> None:
    with pytest.raises(TlsError):
        client_context(b"garbage")
    with pytest.raises(TlsError):
        client_context(None, b"garbage", b"garbage")
