"""What extension API servers need to know of this one: whose client certificates it trusts. And since when tokens are tracked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import msgspec

from api import kinds, times
from api.core_v1 import ConfigMap
from api.meta_v1 import ObjectMeta
from controlplane.apiserver.bootstrap.ensure import Wanted
from controlplane.apiserver.identity.front_proxies import FrontSettings

NAMESPACE = "kube-system"
NAME, CLIENT_CA = "extension-apiserver-authentication", "client-ca-file"
_FRONT = "requestheader-"
FRONT_CA = f"{_FRONT}client-ca-file"
TRACKING, SINCE = "kube-apiserver-legacy-service-account-token-tracking", "since"
_LENIENCE_SECONDS = 300.0
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?", re.DOTALL)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class Trusted:
    """Whom a server trusts: the authority of its clients (PEM), and front proxies."""

    client_ca: str = ""
    front: FrontSettings | None = None


NOBODY = Trusted()


def wanted(trusted: Trusted, now: float) -> list[Wanted]:
    """The maps. What other servers of the cluster trust stays; certificates until they have run out."""

    def reconcile(found: Any, wanted: Any) -> Any:
        data = published(found.data, trusted, now)
        if found.data == data:
            return None
        found.data = data
        return found

    meta = ObjectMeta(name=NAME, namespace=NAMESPACE)
    data = published({}, trusted, now)
    found = [Wanted(kinds.CONFIG_MAP, ConfigMap(metadata=meta, data=data), reconcile)]
    return (found if data else []) + [_tracking(now)]


def published(present: dict[str, str], trusted: Trusted, now: float) -> dict[str, str]:
    """What the map says: what it said, and what this server adds."""
    data = {}
    if clients := combined(present.get(CLIENT_CA, ""), trusted.client_ca, now):
        data[CLIENT_CA] = clients
    front = trusted.front
    proxies = combined(present.get(FRONT_CA, ""), front.ca if front is not None else "", now)
    if not proxies:
        return data
    own = {
        "username-headers": front.user_headers if front is not None else (),
        "uid-headers": front.uid_headers if front is not None else (),
        "group-headers": front.group_headers if front is not None else (),
        "extra-headers-prefix": front.extra_prefixes if front is not None else (),
        "allowed-names": front.names if front is not None else (),
    }
    data[FRONT_CA] = proxies
    for name, values in own.items():
        both = list(dict.fromkeys([*_list(present.get(_FRONT + name, "")), *values]))
        if both or name != "uid-headers":
            data[_FRONT + name] = msgspec.json.encode(both).decode()
    return data


def combined(present: str, own: str, now: float) -> str:
    """Both bundles' certificates, each once, without those that have run out."""
    blocks = dict.fromkeys(block.rstrip("\n") + "\n" for block in _CERTIFICATE.findall(f"{present}\n{own}"))
    return "".join(block for block in blocks if _valid(block, now))


def _list(text: str) -> list[str]:
    """The names in a value of the map; none if somebody has written something else there."""
    try:
        return msgspec.json.decode(text, type=list[str]) if text else []
    except msgspec.MsgspecError:
        return []


def _valid(block: str, now: float) -> bool:
    from cryptography import x509  # heavy, and needed once the server answers

    try:
        end = x509.load_pem_x509_certificate(block.encode()).not_valid_after_utc
    except ValueError:
        return False
    return end.timestamp() > now - _LENIENCE_SECONDS


def _tracking(now: float) -> Wanted:
    today = times.format_time(now)[:10]
    meta = ObjectMeta(name=TRACKING, namespace=NAMESPACE)
    return Wanted(kinds.CONFIG_MAP, ConfigMap(metadata=meta, data={SINCE: today}), _reconcile_tracking)


def _reconcile_tracking(found: Any, wanted: Any) -> Any:
    if _DATE.fullmatch(found.data.get(SINCE, "")):
        return None
    found.data = {**found.data, **wanted.data}
    return found
