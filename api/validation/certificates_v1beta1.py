"""Rules for ClusterTrustBundles."""

import base64
import binascii
import re
from typing import Any

from api import kinds, names
from api.certificates_v1beta1 import ClusterTrustBundle
from api.kinds import Kind
from api.validation.problems import Problems
from api.validation.rules import Rules
from api.validation.signers import signer_name

LARGEST = 1 << 20
_BUNDLE = "spec.trustBundle"
_BLOCK = re.compile(r"^-----BEGIN ([^\n]*)-----\s*$(.*?)^-----END \1-----\s*$", re.MULTILINE | re.DOTALL)


def _check(found: Problems, obj: ClusterTrustBundle) -> None:
    """Its name says whose it is."""
    signer, name = obj.spec.signer_name or "", obj.metadata.name or ""
    found.invalid_all("metadata.name", name, name_problems(name, signer))
    if signer:
        signer_name(found, "spec.signerName", signer)


def _change(found: Problems, new: ClusterTrustBundle, old: ClusterTrustBundle) -> None:
    if new.spec.trust_bundle != old.spec.trust_bundle:
        _certificates(found, new)
    found.immutable("spec.signerName", new.spec.signer_name or "", old.spec.signer_name or "")


def name_problems(name: str, signer: str) -> list[str]:
    """What is wrong with the name of a bundle for this signer, or for none."""
    if not signer:
        if ":" in name:
            return ['ClusterTrustBundle without signer name must not have ":" in its name']
        return names.dns_subdomain(name)
    prefix = f"{signer.replace('/', ':')}:"
    if not name.startswith(prefix):
        return [f"ClusterTrustBundle for signerName {signer} must be named with prefix {prefix}"]
    return names.dns_subdomain(name.removeprefix(prefix))


def _certificates(found: Problems, obj: ClusterTrustBundle) -> None:
    """Authorities only, each once."""
    text = obj.spec.trust_bundle
    if len(text.encode()) > LARGEST:
        return found.too_long(_BUNDLE, LARGEST)
    seen: dict[bytes, list[int]] = {}
    problems: list[str] = []
    for index, (kind, inner) in enumerate(_BLOCK.findall(text)):
        if (problem := _problem(kind, inner)) is not None:
            problems.append(f"entry {index} {problem}")
        else:
            seen.setdefault(_content(inner), []).append(index)
    if not problems and not seen:
        problems.append("at least one trust anchor must be provided")
    if not problems:
        twice = (indices for indices in seen.values() if len(indices) > 1)
        problems += [f"duplicate trust anchor (indices [{' '.join(map(str, indices))}])" for indices in twice]
    for problem in problems:
        found.invalid(_BUNDLE, "<value omitted>", problem)
    return None


def _problem(kind: str, inner: str) -> str | None:
    from cryptography import x509  # heavy, and seldom needed

    if kind != "CERTIFICATE":
        return f"has bad block type: {kind}"
    if ":" in inner:
        return "has PEM block headers"
    try:
        made = x509.load_der_x509_certificate(_content(inner))
        authority = made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (ValueError, binascii.Error):
        return "does not parse as X.509"
    except x509.ExtensionNotFound:
        authority = False
    return None if authority else "does not have the CA bit set"


def _content(inner: str) -> bytes:
    return base64.b64decode(inner)


RULES: dict[Kind[Any], Rules] = {
    kinds.CLUSTER_TRUST_BUNDLE: Rules(_check, _change, name=lambda name: [], fresh=_certificates),
}
