"""Bundles of certificates: what may be in them, and what they may be called."""

import base64
from typing import Any

import pytest

from api import codec, kinds, validation
from kit import pki
from tests.samples import BUNDLE

OMITTED = 'Invalid value: "<value omitted>": '
BODY = BUNDLE.split("\n", 1)[1]
LEAF = pki.issue(pki.make_ca("a"), "leaf", dns=["x"], server=True).cert.decode()
JUNK = f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(b'junk').decode()}\n-----END CERTIFICATE-----\n"


def bundle(text: str = BUNDLE, name: str = "x", signer: str = "") -> Any:
    spec = {"trustBundle": text, "signerName": signer}
    return codec.from_dict(kinds.CLUSTER_TRUST_BUNDLE, {"metadata": {"name": name}, "spec": spec})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("", "at least one trust anchor must be provided", id="nothing"),
        pytest.param("words\n", "at least one trust anchor must be provided", id="no blocks"),
        pytest.param(BUNDLE.replace("CERTIFICATE", "KEY"), "entry 0 has bad block type: KEY", id="no certificate"),
        pytest.param("-----BEGIN CERTIFICATE-----\nA: b\n\n" + BODY, "entry 0 has PEM block headers", id="headers"),
        pytest.param(BUNDLE + JUNK, "entry 1 does not parse as X.509", id="junk"),
        pytest.param(LEAF, "entry 0 does not have the CA bit set", id="no authority"),
        pytest.param(BUNDLE + "words\n" + BUNDLE, "duplicate trust anchor (indices [0 1])", id="twice"),
    ],
)
def test_what_is_no_bundle(text: str, problem: str) -> None:
    causes = validation.validate_create(kinds.CLUSTER_TRUST_BUNDLE, bundle(text))
    assert [(one.field, one.message) for one in causes] == [("spec.trustBundle", OMITTED + problem)]


def test_a_bundle_has_its_limits() -> None:
    (cause,) = validation.validate_create(kinds.CLUSTER_TRUST_BUNDLE, bundle(BUNDLE + " " * (1 << 20)))
    assert cause.field == "spec.trustBundle" and "may not be more than 1048576 bytes" in cause.message


@pytest.mark.parametrize(
    ("name", "signer", "problem"),
    [
        ("x", "", ""),
        ("a.b:c:v1", "a.b/c", ""),
        ("a.b:c:v1", "", 'ClusterTrustBundle without signer name must not have ":" in its name'),
        ("x", "a.b/c", "ClusterTrustBundle for signerName a.b/c must be named with prefix a.b:c:"),
        ("a.b:c:V", "a.b/c", "a lowercase RFC 1123 subdomain must consist of"),
    ],
)
def test_names_say_whose_a_bundle_is(name: str, signer: str, problem: str) -> None:
    causes = validation.validate_create(kinds.CLUSTER_TRUST_BUNDLE, bundle(name=name, signer=signer))
    assert [one.field for one in causes] == ["metadata.name"] * bool(problem)
    assert all(problem in one.message for one in causes)


def test_a_bundle_stays_with_its_signer() -> None:
    old, new = bundle(), bundle(name="a.b:c:x", signer="a.b/c")
    new.metadata.name = old.metadata.name = "a.b:c:x"
    old.metadata.resource_version = new.metadata.resource_version = "1"
    causes = validation.validate_update(kinds.CLUSTER_TRUST_BUNDLE, new, old)
    assert [one.field for one in causes] == ["spec.signerName"]


def test_what_was_good_once_is_not_looked_at_again() -> None:
    old, new = bundle("from before\n"), bundle("from before\n")
    old.metadata.resource_version = new.metadata.resource_version = "1"
    assert validation.validate_update(kinds.CLUSTER_TRUST_BUNDLE, new, old) == []
