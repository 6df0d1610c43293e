"""Two pods of one node cannot hold the same host port."""

from __future__ import annotations

from controlplane.scheduler.model import HostPort, NodeState, Pod

REASON = "node(s) didn't have free ports for the requested pod ports"
EVERY_ADDRESS = "0.0.0.0"


def check(pod: Pod, state: NodeState) -> tuple[str, ...]:
    """Refuse a node where a wanted host port is held, 0.0.0.0 meaning every address."""
    if not state.ports:
        return ()
    return (REASON,) if any(_held(port, state) for port in pod.ports) else ()


def _held(wanted: HostPort, state: NodeState) -> bool:
    address, protocol, port = wanted
    if address != EVERY_ADDRESS:
        return wanted in state.ports or (EVERY_ADDRESS, protocol, port) in state.ports
    return any(held[1] == protocol and held[2] == port for held in state.ports)
