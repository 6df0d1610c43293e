"""What extension API servers need to know of this one: whose client certificates it trusts. And since when tokens are tracked."""

from __future__ import annotations

import re
from typing import Any

from api import kinds, times
from api.core_v1 import ConfigMap
from api.meta_v1 import ObjectMeta
from controlplane.apiserver.bootstrap.ensure import Wanted

NAMESPACE = "kube-system"
NAME, CLIENT_CA = "extension-apiserver-authentication", "client-ca-file"
TRACKING, SINCE = "kube-apiserver-legacy-service-account-token-tracking", "since"
_LENIENCE_SECONDS = 300.0
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?", re.DOTALL)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def wanted(client_ca: str, now: float) -> list[Wanted]:
    """The maps. Certificates of other servers of the cluster stay until they have run out."""

    def reconcile(found: Any, wanted: Any) -> Any:
        together = combined(found.data.get(CLIENT_CA, ""), client_ca, now)
        if found.data.get(CLIENT_CA) == together:
            return None
        found.data = {**found.data, CLIENT_CA: together}
        return found

    meta = ObjectMeta(name=NAME, namespace=NAMESPACE)
    found = [Wanted(kinds.CONFIG_MAP, ConfigMap(metadata=meta, data={CLIENT_CA: client_ca}), reconcile)]
    return (found if client_ca else []) + [_tracking(now)]


def combined(present: str, own: str, now: float) -> str:
    """Both bundles' certificates, each once, without those that have run out."""
    blocks = dict.fromkeys(block.rstrip("\n") + "\n" for block in _CERTIFICATE.findall(f"{present}\n{own}"))
    return "".join(block for block in blocks if _valid(block, now))


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
