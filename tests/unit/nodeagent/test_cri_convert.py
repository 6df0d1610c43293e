"""What the runtime says, in our words."""

from nodeagent.cri import convert
from proto import cri_v1_pb2 as pb


def test_a_time_that_never_was_is_none() -> None:
    """containerd tells Go's zero time of a container that died while it was being started."""
    told = pb.ContainerStatus(
        id="c", state=pb.CONTAINER_EXITED, created_at=5_000_000_000, finished_at=-6795364578871345152
    )
    seen = convert.container_status(told)
    assert (seen.created_at, seen.started_at, seen.finished_at) == (5.0, 0.0, 0.0)
