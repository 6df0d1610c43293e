"""Who may use the agent's API."""

import pytest

from kit.http.model import Peer
from nodeagent.server.callers import API_SERVER, refusal


@pytest.mark.parametrize(
    ("peer", "status"),
    [
        (None, 401),
        (Peer(API_SERVER), None),
        (Peer(API_SERVER, ("system:masters",)), None),  # of an old cluster
        (Peer("admin", ("system:masters",)), None),
        (Peer("system:node:n1", ("system:nodes",)), 403),
        (Peer("", ()), 403),
        (Peer("jane", (API_SERVER,)), 403),
    ],
)
def test_callers(peer: Peer | None, status: int | None) -> None:
    refused = refusal(peer)
    assert (refused and refused.status) == status
