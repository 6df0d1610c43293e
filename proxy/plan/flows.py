"""Which tracked flows lead nowhere any more. Pure.

A UDP client goes on sending from one port, and conntrack goes on sending that to the endpoint it chose at first, or past
the Service if there was no rule then. So after a change, flows to the changed frontends whose answers would not come
from one of the endpoints (those that drain included) are deleted; all others are left alone. With TCP that is done only
if asked for: an endpoint that is gone may still end its connections well. One whose flow is deleted is reset, by another
endpoint or by the refusal that its next packet meets.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Protocol, TypeVar

from proxy.model import addresses
from proxy.model.addresses import UDP
from proxy.plan.desired import NODE, Desired
from proxy.plan.diff import Change


class SeenFlow(Protocol):
    """What of a tracked flow counts here."""

    @property
    def protocol(self) -> int: ...
    @property
    def destination(self) -> bytes: ...
    @property
    def destination_port(self) -> int: ...
    @property
    def reply_source(self) -> bytes: ...
    @property
    def reply_source_port(self) -> int: ...


F = TypeVar("F", bound=SeenFlow)
Frontend = tuple[int, int, bytes, int]  # family, protocol, address, port
Allowed = Mapping[Frontend, frozenset[bytes]]


def allowed_after(changes: Iterable[Change], protocols: Collection[int] = (UDP,)) -> dict[Frontend, frozenset[bytes]]:
    """For each frontend of these protocols that changed: the endpoints whose flows may go on."""
    allowed: dict[Frontend, frozenset[bytes]] = {}
    coming: dict[Frontend, frozenset[bytes]] = {}
    for change in changes:
        if change.subject.protocol in protocols and _matters(change):
            if change.old is not None:
                allowed.update(dict.fromkeys(_frontends(change.old), frozenset()))
            if change.new is not None:
                coming.update(dict.fromkeys(_frontends(change.new), _endpoints(change.new)))
    return allowed | coming


def _matters(change: Change) -> bool:
    old, new = change.old, change.new
    if old is None or new is None or old.frontends != new.frontends:
        return True
    return bool(_endpoints(old) - _endpoints(new)) or not old.every


def _frontends(one: Desired) -> list[Frontend]:
    return [(one.family, one.protocol, frontend.address, frontend.port) for frontend in one.frontends]


def _endpoints(one: Desired) -> frozenset[bytes]:
    return frozenset(
        endpoint for packed in (one.every, one.local, one.draining) for endpoint in addresses.split(packed, one.family)
    )


def stale_flows(flows: Iterable[F], family: int, allowed: Allowed) -> Iterator[F]:
    """The flows to delete, one by one: there may be a million."""
    for flow in flows:
        endpoints = allowed.get((family, flow.protocol, flow.destination, flow.destination_port))
        if endpoints is None:
            # To a node port: only what was translated, for other traffic may have that port as well.
            translated = flow.reply_source != flow.destination
            key = family, flow.protocol, NODE, flow.destination_port
            endpoints = allowed.get(key) if translated else None
        if endpoints is not None and addresses.endpoint(flow.reply_source, flow.reply_source_port) not in endpoints:
            yield flow
