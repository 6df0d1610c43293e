"""Rules for the sources of projected volumes."""

from collections.abc import Iterator
from typing import Any

from api.core_v1 import ClusterTrustBundleProjection, PodCertificateProjection, ServiceAccountTokenProjection
from api.validation.metadata import label_selector
from api.validation.paths import downward_file, keys, local_path
from api.validation.problems import Problems
from api.validation.signers import signer_name

_KEY_TYPES = ("RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519")
_KUBERNETES_DAY, _LONGEST_CERTIFICATE = 86_400, 91 * 86_400


def files(found: Problems, volume: str, path: str, name: str, source: Any) -> Iterator[tuple[str, str]]:
    """The files that a source makes, each with what a cause shows of it if it is there twice."""
    match name:
        case "secret" | "config_map":
            if not source.name:
                found.required(f"{path}.name")
            keys(found, f"{path}.items", source.items)
            yield from ((source.name or "", item.path) for item in source.items if item.path)
        case "downward_api":
            for item in source.items:
                downward_file(found, path, item)
            yield from ((item.path, item.path) for item in source.items if item.path)
        case "service_account_token":
            _token(found, volume, path, source)
        case "cluster_trust_bundle":
            _bundle(found, path, source)
            yield source.path, source.path
        case "pod_certificate":
            yield from ((file, file) for file in _certificate(found, path, source))


def _token(found: Problems, volume: str, path: str, source: ServiceAccountTokenProjection) -> None:
    seconds = source.expiration_seconds
    if seconds is not None and seconds < 600:
        found.invalid(f"{path}.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")
    if seconds is not None and seconds > 1 << 32:
        found.invalid(f"{path}.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds")
    # Upstream names the volume, not the source, in these.
    if not source.path:
        found.required(f"{volume}.path")
    else:
        local_path(found, f"{volume}.path", source.path)


def _bundle(found: Problems, path: str, source: ClusterTrustBundleProjection) -> None:
    if source.name is not None and source.signer_name is not None:
        found.invalid(path, source, "only one of name and signerName may be used")
    elif source.name is not None:
        if not source.name:
            found.required(f"{path}.name", "must be a valid object name")
        if source.label_selector is not None:
            detail = "labelSelector must be unset if name is specified"
            found.invalid(f"{path}.labelSelector", source.label_selector, detail)
    elif source.signer_name is not None:
        if not source.signer_name:
            found.required(f"{path}.signerName", "must be a valid signer name")
        signer_name(found, f"{path}.signerName", source.signer_name)
        if source.label_selector is not None:
            label_selector(found, f"{path}.labelSelector", source.label_selector)
    else:
        found.required(path, "either name or signerName must be specified")
    if not source.path:
        found.required(f"{path}.path")
    local_path(found, f"{path}.path", source.path)


def _certificate(found: Problems, path: str, source: PodCertificateProjection) -> list[str]:
    signer_name(found, f"{path}.signerName", source.signer_name)
    if source.key_type not in _KEY_TYPES:
        found.not_supported(f"{path}.keyType", source.key_type, _KEY_TYPES)
    seconds, where = source.max_expiration_seconds, f"{path}.maxExpirationSeconds"
    if seconds is not None and seconds < 3600:
        found.invalid(where, seconds, "if provided, maxExpirationSeconds must be >= 3600")
    ours = source.signer_name.partition("/")[0].endswith("kubernetes.io")
    longest = _KUBERNETES_DAY if ours else _LONGEST_CERTIFICATE
    if seconds is not None and seconds > longest:
        found.invalid(where, seconds, f"if provided, maxExpirationSeconds must be <= {longest}")
    given = []
    for field, file in (
        ("credentialBundlePath", source.credential_bundle_path),
        ("keyPath", source.key_path),
        ("certificateChainPath", source.certificate_chain_path),
    ):
        if file:
            local_path(found, f"{path}.{field}", file)
            given.append(file)
    if not given:
        found.required(path, "specify at least one of credentialBundlePath, keyPath, and certificateChainPath")
    return given
