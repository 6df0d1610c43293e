"""Files of one volume that would lie on each other."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from api.core_v1 import Volume, VolumeProjection
from api.warnings.text import quoted


class _Placed(NamedTuple):
    path: str
    source: str

    def __str__(self) -> str:
        return f"{quoted(self.path)} ({self.source})" if self.source else quoted(self.path)


def of_volumes(volumes: Iterable[Volume]) -> list[str]:
    """Paths that are given twice, or where a folder would have to be a file."""
    found: list[str] = []
    for volume in volumes:
        name = volume.name
        if volume.config_map is not None:
            about = f"ConfigMap {quoted(volume.config_map.name or '')}"
            found += _overlaps(name, about, _placed(volume.config_map.items, ""))
        if volume.secret is not None:
            about = f"Secret {quoted(volume.secret.secret_name or '')}"
            found += _overlaps(name, about, _placed(volume.secret.items, ""))
        if volume.downward_api is not None:
            found += _overlaps(name, "DownwardAPI", _placed(volume.downward_api.items, ""))
        if volume.projected is not None:
            found += _of_projection(name, volume.projected.sources)
    return found


def _of_projection(name: str, sources: list[VolumeProjection]) -> list[str]:
    empty = [f"volume {quoted(name)} (Projected) has no sources provided" for source in sources if _nothing(source)]
    placed = [one for source in sources for one in _sourced(source)]
    return [*empty, *_overlaps(name, "Projected", placed)]


def _nothing(source: VolumeProjection) -> bool:
    return source == VolumeProjection()


def _sourced(source: VolumeProjection) -> list[_Placed]:
    if source.config_map is not None and source.config_map.items:
        return _placed(source.config_map.items, f"ConfigMap {quoted(source.config_map.name or '')}")
    if source.secret is not None and source.secret.items:
        return _placed(source.secret.items, f"Secret {quoted(source.secret.name or '')}")
    if source.downward_api is not None and source.downward_api.items:
        return _placed(source.downward_api.items, "DownwardAPI")
    if source.service_account_token is not None:
        return [_Placed(source.service_account_token.path, "ServiceAccountToken")]
    if source.cluster_trust_bundle is not None:
        bundle = source.cluster_trust_bundle
        return [_Placed(bundle.path, f"ClusterTrustBundle {quoted(bundle.name or bundle.signer_name or '')}")]
    if source.pod_certificate is not None:
        certificate = source.pod_certificate
        files = (
            (certificate.certificate_chain_path, "PodCertificate chain"),
            (certificate.key_path, "PodCertificate key"),
            (certificate.credential_bundle_path, "PodCertificate credential bundle"),
        )
        return [_Placed(path, what) for path, what in files if path]
    return []


def _placed(items: Iterable[Any], source: str) -> list[_Placed]:
    return [_Placed(item.path, source) for item in items]


def _overlaps(volume: str, about: str, placed: Iterable[_Placed]) -> list[str]:
    found, before = [], list[_Placed]()
    for one in placed:
        this = one._replace(path=one.path.rstrip("/"))
        found += [
            f"volume {quoted(volume)} ({about}): overlapping paths: {this} with {other}"
            for other in before
            if this.path and other.path and _within(this.path, other.path)
        ]
        before.append(this)
    return found


def _within(one: str, other: str) -> bool:
    one, other = f"{one}/", f"{other}/"
    return one.startswith(other) or other.startswith(one)
