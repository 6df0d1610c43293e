"""Values of pod fields and of resources: the downward API, in variables and in volumes."""

import json
import re

from api import quantity
from api.core_v1 import ObjectFieldSelector, Pod, ResourceFieldSelector, ResourceRequirements
from nodeagent.model.spec import AnyContainer, container_named
from nodeagent.render.settings import ConfigProblem, NodeSettings

_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['(.*)'\]", re.DOTALL)


def field_value(pod: Pod, selector: ObjectFieldSelector, ips: tuple[str, ...], node: NodeSettings) -> str:
    """The text of one field of the pod, as it is at this moment."""
    path = selector.field_path
    meta = pod.metadata
    if found := _SUBSCRIPT.fullmatch(path):
        return (meta.labels if found[1] == "labels" else meta.annotations).get(found[2], "")
    if path in ("metadata.labels", "metadata.annotations"):
        return format_map(meta.labels if path == "metadata.labels" else meta.annotations)
    simple = {
        "metadata.name": meta.name,
        "metadata.namespace": meta.namespace,
        "metadata.uid": meta.uid,
        "spec.nodeName": node.name,
        "spec.serviceAccountName": pod.spec.service_account_name,
        "status.hostIP": node.host_ips[0] if node.host_ips else "",
        "status.hostIPs": ",".join(node.host_ips),
        "status.podIP": ips[0] if ips else "",
        "status.podIPs": ",".join(ips),
    }
    if path not in simple:
        raise ConfigProblem(f"unsupported fieldPath: {path}")
    return simple[path] or ""


def format_map(values: dict[str, str]) -> str:
    """Labels or annotations as lines of key="value"."""
    return "\n".join(f"{key}={json.dumps(values[key], ensure_ascii=False)}" for key in sorted(values))


def resource_value(pod: Pod, container: AnyContainer | None, ref: ResourceFieldSelector, node: NodeSettings) -> str:
    """The number of a request or limit; a limit that is not set is what the node has."""
    target = container_named(pod, ref.container_name) if ref.container_name else container
    if target is None:
        raise ConfigProblem(f"container {ref.container_name or ''} not found")
    kind, _, resource = ref.resource.partition(".")
    needs = target.resources or ResourceRequirements()
    if kind not in ("limits", "requests") or not resource:
        raise ConfigProblem(f"unsupported container resource : {ref.resource}")
    text = (needs.limits if kind == "limits" else needs.requests).get(resource)
    if text is None:
        text = node.allocatable.get(resource, "0") if kind == "limits" else needs.limits.get(resource, "0")
    divisor = quantity.parse(ref.divisor) if ref.divisor else 0
    exact = quantity.parse(text)
    return str(-(-exact // (divisor or 1)))
