"""Which addresses lead back to this server."""

import pytest

from controlplane.apiserver.connect.addresses import Doors


@pytest.mark.parametrize(
    ("door", "place", "own"),
    [
        (("192.0.2.1", 6443), ("192.0.2.1", 6443), True),
        (("192.0.2.1", 6443), ("::ffff:192.0.2.1", 6443), True),
        (("192.0.2.1", 6443), ("192.0.2.1", 10250), False),
        (("192.0.2.1", 6443), ("192.0.2.2", 6443), False),
        (("2001:db8::1", 6443), ("2001:0db8:0::1", 6443), True),
        (("fe80::1%lo", 6443), ("fe80::1", 6443), True),
        (("0.0.0.0", 6443), ("127.0.0.1", 6443), True),
        (("0.0.0.0", 6443), ("127.0.0.1", 10250), False),
        (("0.0.0.0", 6443), ("192.0.2.1", 6443), False),
        (("::", 6443), ("127.0.0.1", 6443), True),
    ],
)
def test_own_doors(door: tuple[str, int], place: tuple[str, int], own: bool) -> None:
    doors = Doors()
    assert place not in doors
    doors.add([door])
    assert (place in doors) is own
