"""What the server serves, told to clients: the discovery documents, made once from the table of kinds.

Two kinds of documents: the old ones, one per group and version, and the aggregated one (apidiscovery.k8s.io/v2), which tells all at once.
They are kept as JSON; YAML and protobuf are made of it for who asks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import msgspec

from api import codec
from api.apidiscovery_v2 import (
    APIGroupDiscovery,
    APIGroupDiscoveryList,
    APIResourceDiscovery,
    APISubresourceDiscovery,
    APIVersionDiscovery,
    GroupVersionKind,
)
from api.kinds import ANSWERED, Kind, Subresource
from api.meta_v1 import (
    APIGroup,
    APIGroupList,
    APIResource,
    APIResourceList,
    APIVersions,
    GroupVersionForDiscovery,
    ObjectMeta,
    ServerAddressByClientCIDR,
)
from controlplane.apiserver import negotiation, status
from controlplane.apiserver.call import JSON, Answer, Call
from controlplane.apiserver.representation import OFFERED, PROTOBUF, YAML, to_yaml
from controlplane.apiserver.steps.encode import for_people

_ALL = ("apidiscovery.k8s.io", "v2", "APIGroupDiscoveryList")
_HOW = ";g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
AGGREGATED = JSON + _HOW


class Discovery:
    """The documents of one table of kinds."""

    def __init__(self, kinds: Iterable[Kind[Any]], address: str) -> None:
        self._plain: dict[str, bytes] = {}
        self._aggregated: dict[str, tuple[bytes, str]] = {}
        table = _in_order(kinds)
        groups = list(dict.fromkeys(kind.group for kind in table))
        self._add_plain(table, groups, address)
        self._aggregated["/api"] = _tagged([kind for kind in table if not kind.group])
        self._aggregated["/apis"] = _tagged([kind for kind in table if kind.group])

    def serve(self, call: Call) -> Answer | None:
        """The document at the path; None if there is none."""
        plain = self._plain.get(call.path)
        if plain is None:
            return None
        whole = self._aggregated.get(call.path)
        media, aggregated = _chosen(call.accept, whole is not None)
        headers: tuple[tuple[str, str], ...] = () if whole is None else (("Vary", "Accept"),)
        if whole is None or not aggregated:
            return Answer(_written(plain, media, call), 200, media, headers)
        body, tag = whole
        headers = (("ETag", tag), *headers)
        if call.has(tag):
            return Answer(b"", 304, media + _HOW, headers)
        return Answer(_written(body, media, call), 200, media + _HOW, headers)

    @property
    def paths(self) -> list[str]:
        """Where there are documents."""
        return sorted(self._plain)

    def _add_plain(self, table: list[Kind[Any]], groups: list[str], address: str) -> None:
        here = [ServerAddressByClientCIDR(client_cidr="0.0.0.0/0", server_address=address)]
        core = APIVersions(versions=["v1"], server_address_by_client_cidrs=here)
        self._plain["/api"] = codec.encode(core)
        listed = []
        for group in groups:
            versions = list(dict.fromkeys(kind.version for kind in table if kind.group == group))
            for version in versions:
                mine = [kind for kind in table if kind.group == group and kind.version == version]
                root = f"/apis/{group}/{version}" if group else f"/api/{version}"
                self._plain[root] = _resources(mine)
            if group:
                listed.append(_group(group, versions))
                self._plain[f"/apis/{group}"] = codec.encode(listed[-1])
        self._plain["/apis"] = codec.encode(APIGroupList(groups=listed))


def _in_order(kinds: Iterable[Kind[Any]]) -> list[Kind[Any]]:
    """Groups and versions as they were given, preferred ones first; the resources of each by name."""
    given = list(kinds)
    places = list(dict.fromkeys((kind.group, kind.version) for kind in given))
    groups = list(dict.fromkeys(kind.group for kind in given))
    return sorted(
        given,
        key=lambda kind: (groups.index(kind.group), places.index((kind.group, kind.version)), kind.plural),
    )


def _chosen(accept: str, whole: bool) -> tuple[str, bool]:
    """The first form in the header that there is, and whether it is of the aggregated document. Raises StatusError 406."""
    for clause in negotiation.clauses(accept or JSON):
        media = next((media for media in OFFERED if clause.takes(media)), "")
        if media and clause.conversion is None:
            return media, False
        if media and whole and clause.conversion == _ALL:
            return media, True
    raise status.not_acceptable(OFFERED)


def _written(document: bytes, media: str, call: Call) -> bytes:
    if media == YAML:
        return to_yaml(document)
    if media == PROTOBUF:
        from controlplane.apiserver import forms  # only a few clients ask for it

        return forms.Protobuf().answer(document)
    pretty = for_people(call) or "pretty=1" in call.accept
    return msgspec.json.format(document, indent=2) if pretty else document


def _group(group: str, versions: list[str]) -> APIGroup:
    served = [GroupVersionForDiscovery(group_version=f"{group}/{version}", version=version) for version in versions]
    return APIGroup(name=group, versions=served, preferred_version=served[0])


def _resources(table: list[Kind[Any]]) -> bytes:
    resources = []
    for kind in table:
        resources.append(_resource(kind))
        resources += [_subresource(kind, subresource) for subresource in kind.subresources.values()]
    return codec.encode(APIResourceList(group_version=table[0].api_version, resources=resources))


def _resource(kind: Kind[Any]) -> APIResource:
    kept = kind.stored_as or kind
    digest = hashlib.sha256(f"{kept.group}/{kept.version}/{kept.name}".encode()).hexdigest()
    return APIResource(
        name=kind.plural,
        singular_name=kind.singular,
        namespaced=kind.namespaced,
        kind=kind.name,
        verbs=list(kind.verbs),
        short_names=list(kind.short_names),
        categories=list(kind.categories),
        storage_version_hash=None if kind in ANSWERED else digest[:11] + "=",
    )


def _subresource(kind: Kind[Any], subresource: Subresource) -> APIResource:
    foreign = (subresource.group, subresource.version) != (kind.group, kind.version)
    return APIResource(
        name=f"{kind.plural}/{subresource.name}",
        singular_name="",
        namespaced=kind.namespaced,
        group=subresource.group if foreign else None,
        version=subresource.version if foreign else None,
        kind=subresource.kind,
        verbs=list(subresource.verbs),
    )


def _tagged(table: list[Kind[Any]]) -> tuple[bytes, str]:
    """The aggregated document and its ETag."""
    groups = []
    for group in dict.fromkeys(kind.group for kind in table):
        versions = [
            APIVersionDiscovery(
                version=version,
                resources=[_discovered(kind) for kind in table if kind.group == group and kind.version == version],
                freshness="Current",
            )
            for version in dict.fromkeys(kind.version for kind in table if kind.group == group)
        ]
        groups.append(APIGroupDiscovery(metadata=ObjectMeta(name=group or None), versions=versions))
    body = codec.encode(APIGroupDiscoveryList(items=groups))
    return body, f'"{hashlib.sha512(body).hexdigest().upper()}"'


def _discovered(kind: Kind[Any]) -> APIResourceDiscovery:
    subresources = [
        APISubresourceDiscovery(
            subresource=sub.name,
            response_kind=GroupVersionKind(group=sub.group, version=sub.version, kind=sub.kind),
            verbs=list(sub.verbs),
        )
        for sub in kind.subresources.values()
    ]
    return APIResourceDiscovery(
        resource=kind.plural,
        response_kind=GroupVersionKind(group=kind.group, version=kind.version, kind=kind.name),
        scope="Namespaced" if kind.namespaced else "Cluster",
        singular_resource=kind.singular,
        verbs=list(kind.verbs),
        short_names=list(kind.short_names),
        categories=list(kind.categories),
        subresources=subresources,
    )
