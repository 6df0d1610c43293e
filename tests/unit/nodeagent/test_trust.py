"""Which certificates a pod's file shows."""

import re
from typing import Any

import pytest

from api import codec
from api.core_v1 import ClusterTrustBundleProjection
from kit import pki
from nodeagent.render.settings import Bundle, ConfigProblem
from nodeagent.volumes.trust import certificates_of, trusted

FIRST, SECOND, THIRD = (pki.make_ca(name).cert.decode() for name in ("first", "second", "third"))
SIGNER = "example.com/x"


def bundle(*certificates: str, signer: str = "", **labels: str) -> Bundle:
    return Bundle(signer, labels, certificates_of("words\n".join(certificates)))


BUNDLES = {
    "own": bundle(FIRST, SECOND),
    "example.com:x:live": bundle(FIRST, signer=SIGNER, state="live"),
    "example.com:x:next": bundle(SECOND, FIRST, signer=SIGNER, state="next"),
    "other": bundle(THIRD, signer="example.com/y", state="live"),
}


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        pytest.param({"name": "own"}, {FIRST, SECOND}, id="one bundle"),
        pytest.param({"name": "none", "optional": True}, set(), id="one that may be missing"),
        pytest.param({"signerName": SIGNER, "labelSelector": {}}, {FIRST, SECOND}, id="all of a signer, each once"),
        pytest.param(
            {"signerName": SIGNER, "labelSelector": {"matchLabels": {"state": "live"}}}, {FIRST}, id="some of them"
        ),
        pytest.param({"signerName": SIGNER, "optional": True}, set(), id="without a selector none"),
    ],
)
def test_what_is_trusted(wanted: dict[str, Any], expected: set[str]) -> None:
    found = trusted(BUNDLES, codec.from_dict(ClusterTrustBundleProjection, {"path": "ca", **wanted})).decode()
    blocks = re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", found, re.DOTALL)
    assert sorted(blocks) == sorted(expected) and "".join(blocks) == found


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        ({"name": "none"}, 'clustertrustbundle.certificates.k8s.io "none" not found'),
        ({"signerName": SIGNER}, "combination of signerName and labelSelector matched zero ClusterTrustBundles"),
        ({"signerName": "example.com/z", "labelSelector": {}}, "matched zero ClusterTrustBundles"),
        ({}, "requires either name or signerName to be set"),
    ],
)
def test_what_is_not_there(wanted: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigProblem, match=re.escape(problem)):
        trusted(BUNDLES, codec.from_dict(ClusterTrustBundleProjection, {"path": "ca", **wanted}))


def test_what_cannot_be_read_is_left_out() -> None:
    broken = "-----BEGIN CERTIFICATE-----\nQUJ\n-----END CERTIFICATE-----\n"
    assert len(certificates_of(broken + FIRST)) == 1
    headed = FIRST.replace("-----\n", "-----\nComment: mine\n\n", 1)
    assert certificates_of(headed) == certificates_of(FIRST)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("-----BEGIN X-----\n" * 50_000 + FIRST, id="beginnings without an end"),
        pytest.param("-----BEGIN CERTIFICATE-----\n" * 50_000 + FIRST, id="the same of certificates"),
        pytest.param("-----END CERTIFICATE-----\n" * 50_000 + FIRST, id="ends without a beginning"),
        pytest.param(FIRST.replace("-----\n", "-----\n" + "a:b\n" * 100_000, 1), id="headers without an end"),
        pytest.param(FIRST.replace("-----\n", "-----" + " " * 500_000 + "\n", 1), id="spaces"),
        pytest.param(FIRST.replace("\n", "\r\n"), id="lines of other systems"),
    ],
)
def test_a_large_bundle_is_read_once(text: str) -> None:
    """With steps that grow with its square, this would take hours."""
    assert certificates_of(text) == certificates_of(FIRST)
