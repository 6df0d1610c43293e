"""Manifests of static pods: files that hold Pods, or lists of them, as YAML or JSON. Pure.

A static pod belongs to the node: its name gets the node's, its uid comes from what the manifest says, where it is and which node this
is, so that a restarted agent knows its pods again and a changed manifest makes another pod. It may refer to nothing that is in the API
server, as it must be able to run without one.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from api import codec, defaults, kinds, validation
from api.core_v1 import Pod, Toleration, Volume
from kit import documents
from kit.document_lines import line_of
from nodeagent.model.origin import HASH, SOURCE
from nodeagent.render.references import references
from nodeagent.sources.problems import BadManifest

_FORBIDDEN_VOLUMES = (
    ("config_map", "configmaps (via configmap volumes)"),
    ("secret", "secrets (via secret volumes)"),
    ("csi", "csidrivers (via CSI volumes)"),
    ("glusterfs", "endpoints (via glusterFS volumes)"),
    ("persistent_volume_claim", "persistentvolumeclaims"),
    ("ephemeral", "persistentvolumeclaims (via ephemeral volumes)"),
    ("azure_file", "secrets (via azureFile volumes)"),
)
_FORBIDDEN_SOURCES = (
    ("config_map", "configmaps (via projected volumes)"),
    ("secret", "secrets (via projected volumes)"),
    ("service_account_token", "serviceaccounts (via projected volumes)"),
    ("cluster_trust_bundle", "clustertrustbundles"),
    ("pod_certificate", "podcertificates"),
)


@dataclass(frozen=True, slots=True)
class _Place:
    path: str
    text: str
    document: int
    item: str = ""  # the path of the pod in the document, if that is a list

    def bad(self, message: str, field: str = "") -> BadManifest:
        where = ".".join(part for part in (self.item, field) if part)
        return BadManifest(f"cannot use {self.path}, line {line_of(self.text, self.document, where)}: {message}")


def read_manifest(path: str, data: bytes, node: str) -> list[Pod]:
    """The static pods of one file. Raises BadManifest."""
    try:
        text = data.decode()
        found = documents.read_all(text)
    except UnicodeDecodeError as error:
        raise BadManifest(f"cannot read {path}: it is not text in UTF-8") from error
    except documents.DocumentError as error:
        line = re.search(r"\(line (\d+), column \d+\)", str(error))
        raise BadManifest(f"cannot read {path}{f', line {line[1]}' if line else ''}: {error}") from error
    return [
        _pod(item, place, node) for n, doc in enumerate(found) for item, place in _items(doc, _Place(path, text, n))
    ]


def _items(document: Any, place: _Place) -> Iterator[tuple[dict[str, Any], _Place]]:
    """The pods in one document."""
    if not isinstance(document, dict):
        raise place.bad("a Pod is expected, and this is no object")
    kind, version = document.get("kind"), document.get("apiVersion")
    if version != "v1" or kind not in ("Pod", "PodList", "List"):
        raise place.bad(f"a Pod of v1 is expected, not {kind or 'something without kind'} of {version or 'no version'}")
    if kind == "Pod":
        yield document, place
        return
    items = document.get("items") or []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise place.bad("items must be a list of Pods", "items")
    for position, item in enumerate(items):
        inside = _Place(place.path, place.text, place.document, f"items[{position}]")
        if item.get("kind", "Pod") != "Pod":
            raise inside.bad(f"a Pod is expected, not {item['kind']}")
        yield item, inside


def _pod(item: dict[str, Any], place: _Place, node: str) -> Pod:
    try:
        pod = codec.decode(Pod, msgspec.json.encode(item))
    except (codec.DecodeError, TypeError) as error:
        raise place.bad(str(error), getattr(error, "field", "")) from error
    meta = pod.metadata
    if not meta.name:
        raise place.bad("invalid pod: name is needed for the pod", "metadata")
    if meta.uid and ("/" in meta.uid or meta.uid in (".", "..")):  # the pod's directory is named by it
        raise place.bad(f"invalid pod: the uid {meta.uid!r} must not be a path", "metadata.uid")
    meta.uid = meta.uid or manifest_hash(item, place.path, node)
    meta.name = f"{meta.name}-{node.lower()}"
    meta.namespace = meta.namespace or "default"
    meta.annotations = {**meta.annotations, HASH: meta.uid, SOURCE: "file"}
    pod.spec.node_name = node
    always = Toleration(operator="Exists", effect="NoExecute")
    if always not in pod.spec.tolerations:
        pod.spec.tolerations = [*pod.spec.tolerations, always]
    defaults.apply(kinds.POD, pod)
    pod.status.phase = "Pending"
    if causes := validation.validate_create(kinds.POD, pod):
        text = "; ".join(f"{cause.field}: {cause.message}" for cause in causes)
        raise place.bad(f"invalid pod: {text}", causes[0].field)
    if found := api_reference(pod):
        resource, field = found
        raise place.bad(f"static pods may not reference {resource}", field)
    return pod


def manifest_hash(item: dict[str, Any], path: str, node: str) -> str:
    """The uid of a pod that a manifest gives none; comments and the order of fields do not matter."""
    seen = hashlib.blake2b(msgspec.json.encode(item, order="deterministic"), digest_size=16)
    seen.update(f"host:{node}file:{path}".encode())
    return seen.hexdigest()


def api_reference(pod: Pod) -> tuple[str, str] | None:
    """The first thing that a pod needs the API server for, and the field that says so."""
    if pod.spec.service_account_name:
        return "serviceaccounts", "spec.serviceAccountName"
    in_volumes = {ref for volume in pod.spec.volumes for ref in _volume_references(volume)}
    for kind, resource in (("Secret", "secrets"), ("ConfigMap", "configmaps")):
        if any(ref[0] == kind and ref not in in_volumes for ref in references(pod)):
            return resource, "spec.imagePullSecrets" if pod.spec.image_pull_secrets else "spec.containers"
    if pod.spec.resource_claims:
        return "resourceclaims", "spec.resourceClaims"
    for position, volume in enumerate(pod.spec.volumes):
        for name, resource in _FORBIDDEN_VOLUMES:
            if getattr(volume, name, None) is not None:
                return resource, f"spec.volumes[{position}]"
        for source in volume.projected.sources if volume.projected is not None else ():
            for name, resource in _FORBIDDEN_SOURCES:
                if getattr(source, name, None) is not None:
                    return resource, f"spec.volumes[{position}].projected"
    return None


def _volume_references(volume: Volume) -> Iterator[tuple[str, str]]:
    if volume.config_map is not None:
        yield "ConfigMap", volume.config_map.name or ""
    if volume.secret is not None:
        yield "Secret", volume.secret.secret_name or ""
    for source in volume.projected.sources if volume.projected is not None else ():
        if source.config_map is not None:
            yield "ConfigMap", source.config_map.name or ""
        if source.secret is not None:
            yield "Secret", source.secret.name or ""
