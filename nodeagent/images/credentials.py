"""Which credentials a pod's pull secrets have for an image.

A secret names places: a registry, or a part of one (`r.io/team`); the host may have wildcards (`*.r.io`). An image may have been meant
by several, the more special first. The runtime is not told the place: it would compare it with the host that it asks in the end.
"""

import base64
import binascii
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

import msgspec

from api.core_v1 import Secret
from nodeagent.images.names import DEFAULT, full_name, registry_of
from proto import cri_v1_pb2 as pb

HUB = "index.docker.io"  # what Docker Hub is called where people log in


class _Entry(msgspec.Struct):
    auth: str = ""  # name and password in one; it counts before these
    username: str = ""
    password: str = ""
    identitytoken: str = ""


class _DockerConfig(msgspec.Struct):
    auths: dict[str, _Entry] = {}


def credentials(secrets: Iterable[Secret], image: str) -> list[pb.AuthConfig]:
    """Those that are worth a try, in this order; what cannot be read is passed over."""
    by_place: dict[str, list[pb.AuthConfig]] = {}
    for secret in secrets:
        for server, entry in _entries(secret).items():
            by_place.setdefault(_place(server), []).extend(_auth(entry))
    name = full_name(image)
    found = [auth for place in sorted(by_place, reverse=True) if _covers(place, name) for auth in by_place[place]]
    if not found and registry_of(image) == DEFAULT:
        return by_place.get(HUB, [])
    return found


def _place(server: str) -> str:
    """Registry and path, without what says only how to ask it."""
    host, slash, path = server.removeprefix("https://").removeprefix("http://").partition("/")
    if path.startswith(("v1/", "v2/")):
        path = path[3:]
    return f"{host}{slash}{path}" if path else host


def _covers(place: str, name: str) -> bool:
    """Whether an image of that name lies there."""
    (wild, _, inside), (host, _, path) = place.partition("/"), name.partition("/")
    (wild_host, wild_port), (real_host, real_port) = _split(wild), _split(host)
    patterns, parts = wild_host.split("."), real_host.split(".")
    if wild_port != real_port or len(patterns) != len(parts) or not path.startswith(inside):
        return False
    return all(fnmatchcase(part, pattern) for part, pattern in zip(parts, patterns, strict=True))


def _split(host: str) -> tuple[str, str]:
    name, colon, port = host.rpartition(":")
    return (name, port) if colon and "]" not in port else (host, "")


def _auth(entry: _Entry) -> Iterator[pb.AuthConfig]:
    username, password = entry.username, entry.password
    if entry.auth:
        try:
            plain = base64.b64decode(entry.auth + "=" * (-len(entry.auth) % 4), validate=True).decode()
        except ValueError:
            return
        username, colon, password = plain.partition(":")
        if not colon:
            return
    yield pb.AuthConfig(username=username, password=password, identity_token=entry.identitytoken)


def _entries(secret: Secret) -> dict[str, _Entry]:
    try:
        if (data := secret.data.get(".dockerconfigjson")) is not None:
            return msgspec.json.decode(_plain(data), type=_DockerConfig).auths
        if (data := secret.data.get(".dockercfg")) is not None:
            return msgspec.json.decode(_plain(data), type=dict[str, _Entry])
    except (msgspec.DecodeError, binascii.Error):
        pass
    return {}


def _plain(data: bytes) -> bytes:
    """Secrets hold bytes; some clients encode them twice."""
    return data if data.lstrip().startswith(b"{") else base64.b64decode(data, validate=True)
