"""The door to nf_tables: transactions of hand-packed netlink messages, reads, and notices of others' changes.

`wire` packs attributes and messages, `objects` tables, chains, sets and rules, `expressions` what rules are made of,
`elements` the hot path of sets with hundreds of thousands of elements, `userdata` what the `nft` program needs to
show a set again. `door` is the kernel, `fake` a kernel in memory that reads the same bytes, `monitor` hears who else
commits. Nothing here knows what the rules are for.

Fake and monitor are loaded when somebody asks for them: a CNI request that is served alone passes here, and they would
cost it 10 ms.
"""

from typing import TYPE_CHECKING, Any

from linux.nft.door import Door, Kernel, NftError, Seen
from linux.nft.objects import destroy_table
from linux.nft.wire import INET4, INET6

if TYPE_CHECKING:
    from linux.nft.fake import FakeKernel
    from linux.nft.monitor import Monitor, Notice

FAMILIES = {4: INET4, 6: INET6}  # by IP version

__all__ = ["FAMILIES", "Door", "FakeKernel", "Kernel", "Monitor", "NftError", "Notice", "Seen", "destroy_table"]


_LATER = {"FakeKernel": "fake", "Monitor": "monitor", "Notice": "monitor"}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # not at the top, for the same reason

    return getattr(import_module(f"linux.nft.{_LATER[name]}"), name)
