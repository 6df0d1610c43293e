"""The packed word: what a frontend's map entry says, kept in `meta priority` from one look-up to the next.

    bits 31-30  route (0 internal, 1 external local, 2 external)
    bits 29-12  group: one list of endpoints
    bits 11-0   code: which chain picks one (0 refuse, 1 drop, then one per endpoint count and affinity timeout)

A code stands for a count but is not the count, so a service may have any number of endpoints: 4,094 different counts
fit at the same time. With affinity, an endpoint has a name of its own that stays when others come and go: the group's
bits with a slot in the other fourteen (16,384 endpoints). Masked with GROUP_MASK it is the group again, which is how the
rules find their way back from an endpoint that is gone.
"""

import struct

ROUTE_SHIFT, GROUP_SHIFT = 30, 12
ROUTE_MASK, GROUP_MASK, CODE_MASK = 0xC0000000, 0x3FFFF000, 0x00000FFF
MAX_GROUP = GROUP_MASK >> GROUP_SHIFT
MAX_CODE = CODE_MASK
MAX_SLOT = (1 << 14) - 1
REFUSE, DROP, FIRST_CODE = 0, 1, 2

_U32 = struct.Struct("=I")


def word(route: int, group: int, code: int) -> bytes:
    """A frontend's word as the register holds it."""
    return _U32.pack(route << ROUTE_SHIFT | group << GROUP_SHIFT | code)


def group_key(group: int) -> bytes:
    """The group alone, as the rules mask it."""
    return _U32.pack(group << GROUP_SHIFT)


def endpoint_name(group: int, slot: int) -> bytes:
    """The lasting name of an endpoint in a group with affinity."""
    return _U32.pack((slot >> 12) << ROUTE_SHIFT | group << GROUP_SHIFT | (slot & CODE_MASK))


def unpack(data: bytes) -> tuple[int, int, int]:
    """Route, group and code of a word."""
    value = _U32.unpack(data)[0]
    return value >> ROUTE_SHIFT, (value & GROUP_MASK) >> GROUP_SHIFT, value & CODE_MASK


def unpack_name(data: bytes) -> tuple[int, int]:
    """Group and slot of an endpoint's name."""
    value = _U32.unpack(data)[0]
    return (value & GROUP_MASK) >> GROUP_SHIFT, (value >> ROUTE_SHIFT) << 12 | (value & CODE_MASK)
