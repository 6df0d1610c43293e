"""metrics.k8s.io: what nodes and pods use at the moment, for `kubectl top` and autoscaling, answered from the agents' own numbers.

This is what a metrics-server would say, without one. If one is installed and registers its APIService, requests for the group are to go
there instead; passing on requests to other servers is not built yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api import codec, kinds, times
from api.core_v1 import Node, Pod
from api.kinds import Kind
from api.meta_v1 import ObjectMeta
from api.metrics_v1beta1 import ContainerMetrics, NodeMetrics, PodMetrics
from controlplane.apiserver import options, status
from controlplane.apiserver.call import Call, Found, Listed, Result
from controlplane.apiserver.entry import Entry
from controlplane.apiserver.selection import select
from controlplane.apiserver.usage import PodMeasured, Summary

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

WINDOW = "10s"  # agents count over some seconds; nobody computes with it
_GROUP = "metrics.k8s.io"


async def nodes(call: Call, core: Core) -> Result:
    """GET and LIST of nodes."""
    entries = _entries(call, core, kinds.NODE)
    known = await core.usage.of([entry.name for entry in entries], core)
    found = [_node(entry, known[entry.name]) for entry in entries if entry.name in known]
    return _answer(call, core, kinds.NODE_METRICS, [item for item in found if item.usage])


async def pods(call: Call, core: Core) -> Result:
    """GET and LIST of pods."""
    entries = [entry for entry in _entries(call, core, kinds.POD) if entry.fields[0]]
    known = await core.usage.of([entry.fields[0] for entry in entries], core)
    told = {(one.pod_ref.namespace, one.pod_ref.name): (one, s) for s in known.values() for one in s.pods}
    found = []
    for entry in entries:
        one = told.get((entry.namespace, entry.name))
        item = _pod(entry, *one) if one is not None else None
        if item is not None:
            found.append(item)
    return _answer(call, core, kinds.POD_METRICS, found)


def _entries(call: Call, core: Core, kind: Kind[Any]) -> list[Entry]:
    """The nodes or pods that are asked about; their labels and names are those of their measures."""
    target: Any = call.target
    kept = core.cache.resources[kind]
    if target.name:
        entry = kept.entries.get(target.key)
        if entry is None:
            raise _unknown(call)
        return [entry]
    wanted = options.parse(call.query, watch=False)
    return select(target.kind, target.namespace, wanted.labels, wanted.fields).of(kept)


def _unknown(call: Call) -> status.StatusError:
    what = "nodemetrics" if call.target.kind is kinds.NODE_METRICS else "podmetrics"
    return status.not_found(status.Subject(_GROUP, what, call.target.key))


def _answer(call: Call, core: Core, kind: Kind[Any], items: list[Any]) -> Result:
    if call.target.name:
        if not items:
            raise _unknown(call)
        return Found(kind, codec.encode(items[0]))
    return Listed(kind, [codec.encode(item) for item in items], core.cache.revision)


def _node(entry: Entry, summary: Summary) -> NodeMetrics:
    node: Node = codec.decode(kinds.NODE, entry.data)
    at = times.format_time(summary.at)
    return NodeMetrics(
        metadata=ObjectMeta(name=entry.name, creation_timestamp=at, labels=node.metadata.labels),
        timestamp=at,
        window=WINDOW,
        usage=summary.node.amounts,
    )


def _pod(entry: Entry, measured: PodMeasured, summary: Summary) -> PodMetrics | None:
    """The measures of a pod; None for one of that name which is another, or of which nothing is known."""
    pod: Pod = codec.decode(kinds.POD, entry.data)
    if measured.pod_ref.uid and measured.pod_ref.uid != _agents_uid(pod):
        return None
    containers = [ContainerMetrics(name=one.name, usage=one.amounts) for one in measured.containers if one.amounts]
    if not containers:
        return None
    at = times.format_time(summary.at)
    return PodMetrics(
        metadata=ObjectMeta(
            name=entry.name, namespace=entry.namespace, creation_timestamp=at, labels=pod.metadata.labels
        ),
        timestamp=at,
        window=WINDOW,
        containers=containers,
    )


def _agents_uid(pod: Pod) -> str:
    """By what uid the agent knows the pod: a static one has the hash of its file."""
    return pod.metadata.annotations.get("kubernetes.io/config.hash") or pod.metadata.uid or ""
