"""The door to nf_tables: transactions of hand-packed netlink messages, reads, and notices of others' changes.

`wire` packs attributes and messages, `objects` tables, chains, sets and rules, `expressions` what rules are made of,
`elements` the hot path of sets with hundreds of thousands of elements, `userdata` what the `nft` program needs to
show a set again. `door` is the kernel, `fake` a kernel in memory that reads the same bytes, `monitor` hears who else
commits. Nothing here knows what the rules are for.
"""

from linux.nft.door import Door, Kernel, NftError, Seen
from linux.nft.fake import FakeKernel
from linux.nft.monitor import Monitor, Notice
from linux.nft.objects import destroy_table
from linux.nft.wire import INET4, INET6

FAMILIES = {4: INET4, 6: INET6}  # by IP version

__all__ = ["FAMILIES", "Door", "FakeKernel", "Kernel", "Monitor", "NftError", "Notice", "Seen", "destroy_table"]
