"""Certificates of authorities that pods trust, from the ClusterTrustBundles of the cluster. Pure."""

import base64
import binascii
import ssl
from collections.abc import Iterable, Iterator, Mapping
from itertools import dropwhile

from api import selectors
from api.core_v1 import ClusterTrustBundleProjection
from nodeagent.render.settings import Bundle, ConfigProblem

_BEGIN, _END, _DASHES = "-----BEGIN ", "-----END ", "-----"
_LONGEST_SELECTOR = 100 * 1024


def certificates_of(text: str) -> frozenset[bytes]:
    """The certificates in a bundle; what cannot be read is none."""
    found = set()
    for lines in _blocks(text):
        body = dropwhile(lambda line: ":" in line, lines)  # headers come first
        try:
            found.add(base64.b64decode("".join(body)))
        except binascii.Error:
            continue
    return frozenset(found - {b""})


def _blocks(text: str) -> Iterator[list[str]]:
    """The lines of each block that ends as it began, read once: a bundle may be large, and anybody's."""
    label, lines = "", list[str]()
    for line in (line.rstrip() for line in text.split("\n")):
        if line.startswith(_BEGIN) and line.endswith(_DASHES):
            label, lines = line.removeprefix(_BEGIN), []
        elif line.startswith(_END):
            if label and line.removeprefix(_END) == label:
                yield lines
            label = ""
        elif label:
            lines.append(line)


def trusted(bundles: Mapping[str, Bundle], wanted: ClusterTrustBundleProjection) -> bytes:
    """What a pod's file shows: each certificate once, in an order that stays."""
    if wanted.name is not None:
        one = bundles.get(wanted.name)
        if one is None and not wanted.optional:
            absent = f'clustertrustbundle.certificates.k8s.io "{wanted.name}" not found'
            raise ConfigProblem(f"while getting ClusterTrustBundle: {absent}")
        return _written([one] if one is not None else [])
    if wanted.signer_name is None:
        raise ConfigProblem("ClusterTrustBundle projection requires either name or signerName to be set")
    chosen = [one for one in _selected(bundles, wanted) if one.signer == wanted.signer_name]
    if not chosen and not wanted.optional:
        raise ConfigProblem("combination of signerName and labelSelector matched zero ClusterTrustBundles")
    return _written(chosen)


def _selected(bundles: Mapping[str, Bundle], wanted: ClusterTrustBundleProjection) -> list[Bundle]:
    """Without a selector nothing is selected, with an empty one everything."""
    try:
        selector = selectors.from_struct(wanted.label_selector)
    except selectors.SelectorError as error:
        raise ConfigProblem(f"while parsing label selector: {error}") from error
    if (length := len(str(selector))) > _LONGEST_SELECTOR:
        raise ConfigProblem(f"label selector length ({length}) is larger than {_LONGEST_SELECTOR}")
    return [one for one in bundles.values() if selector.matches(one.labels)]


def _written(bundles: Iterable[Bundle]) -> bytes:
    all_ = frozenset[bytes]().union(*(one.certificates for one in bundles))
    return "".join(ssl.DER_cert_to_PEM_cert(one) for one in sorted(all_)).encode()
