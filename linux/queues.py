"""Queues of links: how fast a link sends, and which link what arrives takes a detour over. Part of linux.rtnl.

A link limits what it sends only. What arrives is limited by a detour: an `ifb` link sends it, at its own rate, back to where
it came from. The numbers are the kernel's (linux/rtnetlink.h, pkt_sched.h, pkt_cls.h, tc_act/tc_mirred.h).
"""

import errno
import struct

from linux.links import Rate
from linux.netlink import (
    CREATE,
    REPLACE,
    Connection,
    NetlinkError,
    attribute,
    attributes,
    nested,
    string,
    text,
    u32,
)

_NEWQDISC, _DELQDISC, _GETQDISC = 36, 37, 38
_NEWTFILTER, _DELTFILTER, _GETTFILTER = 44, 45, 46
_TCMSG = struct.Struct("=B3xiIII")
_TOKEN_BUCKET = struct.Struct("=BBHhHI12xIII")
_ROOT, _INGRESS, _ARRIVING = 0xFFFFFFFF, 0xFFFFFFF1, 0xFFFF0000
_KIND, _OPTIONS = 1, 2
_QUEUE_MS = 25  # how long a packet may wait for its turn before it is dropped
_FIRST_OF_ALL = 1 << 16 | struct.unpack("=H", struct.pack(">H", 3))[0]  # priority 1, packets of every protocol
_U32_SELECTOR, _U32_ACTIONS = 5, 7
_EVERY_PACKET = struct.pack("=BBBxHHhhI", 1, 0, 1, 0, 0, 0, 0, 0) + bytes(16)  # terminal; one key, whose mask is 0
_MIRRED_PARAMETERS, _STOLEN, _REDIRECT = 2, 4, 1
_MIRRED = struct.Struct("=IIiiiiI")


def rate(kernel: Connection, ifindex: int) -> Rate | None:
    """How fast a link may send; None: as it can."""
    for body in kernel.dump("list queues", _GETQDISC, _TCMSG.pack(0, ifindex, 0, 0, 0)):
        _family, index, _handle, parent, _info = _TCMSG.unpack_from(body)
        seen = attributes(body, _TCMSG.size)
        if index == ifindex and parent == _ROOT and string(seen.get(_KIND, b"")) == "tbf":
            return _seen_rate(attributes(seen[_OPTIONS]))
    return None


def limit(kernel: Connection, ifindex: int, wanted: Rate | None) -> None:
    """Limit how fast a link sends, or lift the limit."""
    where = _TCMSG.pack(0, ifindex, 0, _ROOT, 0)
    if wanted is None:
        # "no such queue" has several names: ENOENT, and EINVAL for the one that every link has
        _remove(kernel, f"lift the limit of link {ifindex}", _DELQDISC, where)
        return
    options = nested(_OPTIONS, _token_bucket(wanted), u32(6, wanted.burst), _u64(4, wanted.rate))
    kernel.change(f"limit link {ifindex}", _NEWQDISC, CREATE | REPLACE, where + text(_KIND, "tbf") + options)


def detour(kernel: Connection, ifindex: int) -> int:
    """The link that what arrives at a link goes to first; 0: none."""
    for body in kernel.dump("list filters", _GETTFILTER, _TCMSG.pack(0, ifindex, 0, _ARRIVING, 0)):
        seen = attributes(body, _TCMSG.size)
        actions = attributes(attributes(seen.get(_OPTIONS, b"")).get(_U32_ACTIONS, b""))
        for action in map(attributes, actions.values()):
            parameters = attributes(action.get(_OPTIONS, b"")).get(_MIRRED_PARAMETERS, b"")
            if len(parameters) >= _MIRRED.size:
                *_, what, to = _MIRRED.unpack_from(parameters)
                return int(to) if what == _REDIRECT else 0
    return 0


def set_detour(kernel: Connection, ifindex: int, to: int) -> None:
    """Send what arrives at a link over another one, whose kind brings it back."""
    doing = f"send what arrives at link {ifindex} over link {to}"
    kernel.change(doing, _NEWQDISC, CREATE, _TCMSG.pack(0, ifindex, _ARRIVING, _INGRESS, 0) + text(_KIND, "ingress"))
    where = _TCMSG.pack(0, ifindex, 0, _ARRIVING, _FIRST_OF_ALL) + text(_KIND, "u32")
    _remove(kernel, doing, _DELTFILTER, where)  # a second one would stand beside the first
    parameters = attribute(_MIRRED_PARAMETERS, _MIRRED.pack(0, 0, _STOLEN, 0, 0, _REDIRECT, to))
    action = nested(1, text(_KIND, "mirred"), nested(_OPTIONS, parameters))
    options = nested(_OPTIONS, attribute(_U32_SELECTOR, _EVERY_PACKET), nested(_U32_ACTIONS, action))
    kernel.change(doing, _NEWTFILTER, CREATE, where + options)


def _remove(kernel: Connection, doing: str, kind: int, where: bytes) -> None:
    try:
        kernel.change(doing, kind, 0, where)
    except NetlinkError as error:
        if error.code not in (errno.ENOENT, errno.EINVAL):
            raise


def _token_bucket(wanted: Rate) -> bytes:
    """TBF's parameters. The kernel takes the rate and the burst from attributes of their own; a queue it has only here."""
    slow = min(wanted.rate, 0xFFFFFFFF)
    queue = min(wanted.rate * _QUEUE_MS // 1000 + wanted.burst, 0xFFFFFFFF)
    return attribute(1, _TOKEN_BUCKET.pack(0, 1, 0, 0, 0, slow, queue, 0, 0))  # 1: Ethernet


def _seen_rate(options: dict[int, bytes]) -> Rate:
    _cell, _layer, _overhead, _align, _mpu, slow, _queue, ticks, _mtu = _TOKEN_BUCKET.unpack_from(options[1])
    exact = struct.unpack("=Q", options[4])[0] if 4 in options else slow
    return Rate(exact, round(ticks * 64 * exact / 1e9))  # a tick is 64 ns


def _u64(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("=Q", value))
