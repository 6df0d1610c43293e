"""TLS on both sides: trust, client certificates, renewal of the server's certificate."""

import asyncio
import hashlib
import ssl
from pathlib import Path

import pytest

from kit import pki
from kit.http.client import ConnectFailed, HttpClient
from kit.http.model import Peer, Request, Response
from kit.http.server import Server
from kit.http.tls import ServerTls, TlsError, client_context


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


async def test_client_certificates_are_optional_and_named(place: Place) -> None:
    async with Server(who, tls=place.tls()) as server:
        fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(place.client.cert.decode())).hexdigest()
        for pair, peer in ((place.client, Peer("admin", ("system:masters", "devs"), fingerprint)), (None, None)):
            client = HttpClient("127.0.0.1", server.port, place.context(pair))
            for _ in range(2):
                assert (await client.request("GET", "/")).body == repr(peer).encode()
            assert len(server._connections) == 1
            await client.close()
            while server._connections:
                await asyncio.sleep(0.001)


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
            await HttpClient("127.0.0.1", server.port).request("GET", "/", timeout=5)
        with pytest.raises(ConnectFailed):
            await HttpClient("127.0.0.1", plain.port, place.context()).request("GET", "/", timeout=5)


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
