"""The door to IPVS, the kernel's load balancer: virtual services and the destinations behind them, over generic netlink.

A service is known by family, protocol, address and port, or by a packet mark alone; a mark goes first. `Kernel` belongs to
the network namespace that its thread was in; `linux.ipvs_fake.FakeIpvs` is the same in memory, and one suite
(tests/contract/linux) holds both to the same answers. Destinations are reached by address translation. The numbers are
those of linux/ip_vs.h.
"""

import errno
import socket
import struct
from contextlib import suppress
from typing import NamedTuple, Protocol

from linux import process
from linux.netlink import Connection, NetlinkError, NotFound, attribute, attributes, nested, string, text, u32

PERSISTENT = 0x1
"""A flag: a client stays at its destination until it was away for the service's timeout."""

_GENERIC, _CONTROLLER, _GET_FAMILY, _FAMILY_ID, _FAMILY_NAME = 16, 16, 3, 1, 2
_NEW_SERVICE, _SET_SERVICE, _DEL_SERVICE, _GET_SERVICE, _NEW_DEST, _SET_DEST, _DEL_DEST, _GET_DEST = range(1, 9)
_SERVICE, _DEST = 1, 2
_AF, _PROTOCOL, _ADDRESS, _PORT, _MARK, _SCHEDULER, _FLAGS, _TIMEOUT, _NETMASK = range(1, 10)
_D_ADDRESS, _D_PORT, _D_METHOD, _D_WEIGHT, _D_UPPER, _D_LOWER, _D_ACTIVE, _D_INACTIVE = range(1, 9)
_D_FAMILY = 11
_HASHED = 0x2  # the kernel's own flag
_AFS = {4: int(socket.AF_INET), 6: int(socket.AF_INET6)}
_FAMILIES = {number: family for family, number in _AFS.items()}


class Service(NamedTuple):
    """What clients connect to: by address, or (mark not zero) whatever has this mark."""

    family: int
    protocol: int = 0
    address: bytes = b""
    port: int = 0
    mark: int = 0


class Settings(NamedTuple):
    """How a service chooses. The timeout counts with PERSISTENT; other flags and it are kept as given."""

    scheduler: str
    flags: int = 0
    timeout: int = 0


class Destination(NamedTuple):
    """Where a service sends clients to."""

    address: bytes
    port: int


class SeenDestination(NamedTuple):
    """With weight 0 it gets no new connections."""

    weight: int
    connections: int = 0


class Ipvs(Protocol):
    """The load balancer of one network namespace."""

    def services(self) -> dict[Service, Settings]:
        """All services."""
        ...

    def find(self, service: Service) -> Settings | None:
        """One service."""
        ...

    def add(self, service: Service, settings: Settings) -> None:
        """Make a service; AlreadyExists, or NotFound if there is no such scheduler."""
        ...

    def change(self, service: Service, settings: Settings) -> None:
        """Change how a service chooses; its connections go on."""
        ...

    def remove(self, service: Service) -> bool:
        """Remove a service with its destinations; False if there is none."""
        ...

    def destinations(self, service: Service) -> dict[Destination, SeenDestination]:
        """Where a service sends clients to."""
        ...

    def add_destination(self, service: Service, destination: Destination, weight: int) -> None:
        """Let a service send clients there; AlreadyExists, NotFound."""
        ...

    def change_destination(self, service: Service, destination: Destination, weight: int) -> None:
        """Change how many clients it gets; NotFound."""
        ...

    def remove_destination(self, service: Service, destination: Destination) -> bool:
        """Take a destination away; False if it was not there."""
        ...

    def close(self) -> None:
        """Let the namespace go."""
        ...


class Kernel:
    """The running kernel's. NotFound: it has none."""

    def __init__(self) -> None:
        self._kernel = Connection(_GENERIC)
        try:
            body = struct.pack("=BBH", _GET_FAMILY, 1, 0) + text(_FAMILY_NAME, "IPVS")
            answer = self._kernel.query("find IPVS", _CONTROLLER, body)
        except NetlinkError as error:
            self.close()
            reason = "cannot use IPVS: this kernel has it not, or its module ip_vs is not loaded"
            raise NotFound(reason, errno.ENOENT) from error
        self._family = int(struct.unpack("=H", attributes(answer, 4)[_FAMILY_ID][:2])[0])

    def close(self) -> None:
        """Let the namespace go."""
        self._kernel.close()

    def services(self) -> dict[Service, Settings]:
        """All services."""
        found = self._kernel.dump("list IPVS services", self._family, _head(_GET_SERVICE))
        return dict(_seen_service(body) for body in found)

    def find(self, service: Service) -> Settings | None:
        """One service."""
        body = _head(_GET_SERVICE) + nested(_SERVICE, service_key(service))
        try:
            return _seen_service(self._kernel.query("look at an IPVS service", self._family, body))[1]
        except NotFound:
            return None

    def add(self, service: Service, settings: Settings) -> None:
        """Make a service; AlreadyExists, or NotFound if there is no such scheduler."""
        self._change(f"add IPVS service {show(service)}", _NEW_SERVICE, _full(service, settings))

    def change(self, service: Service, settings: Settings) -> None:
        """Change how a service chooses; its connections go on."""
        self._change(f"change IPVS service {show(service)}", _SET_SERVICE, _full(service, settings))

    def remove(self, service: Service) -> bool:
        """Remove a service with its destinations; False if there is none."""
        return self._gone(f"remove IPVS service {show(service)}", _DEL_SERVICE, nested(_SERVICE, service_key(service)))

    def destinations(self, service: Service) -> dict[Destination, SeenDestination]:
        """Where a service sends clients to."""
        body = _head(_GET_DEST) + nested(_SERVICE, service_key(service))
        found = self._kernel.dump("list IPVS destinations", self._family, body)
        return dict(_seen_destination(body, service.family) for body in found)

    def add_destination(self, service: Service, destination: Destination, weight: int) -> None:
        """Let a service send clients there; AlreadyExists, NotFound."""
        self._change(
            f"add a destination of IPVS service {show(service)}", _NEW_DEST, _both(service, destination, weight)
        )

    def change_destination(self, service: Service, destination: Destination, weight: int) -> None:
        """Change how many clients it gets; NotFound."""
        doing = f"change a destination of IPVS service {show(service)}"
        self._change(doing, _SET_DEST, _both(service, destination, weight))

    def remove_destination(self, service: Service, destination: Destination) -> bool:
        """Take a destination away; False if it was not there."""
        doing = f"remove a destination of IPVS service {show(service)}"
        return self._gone(doing, _DEL_DEST, _both(service, destination, 0))

    def _change(self, doing: str, command: int, body: bytes) -> None:
        self._kernel.change(doing, self._family, 0, _head(command) + body)

    def _gone(self, doing: str, command: int, body: bytes) -> bool:
        try:
            self._change(doing, command, body)
        except NotFound:
            return False
        return True


def load_module() -> None:
    """Have the kernel load IPVS, if it is a module; opening `Kernel` tells whether there is any."""
    with suppress(process.ProcessError):  # no modprobe: nothing is a module, or somebody else loads them
        process.run(["modprobe", "-q", "ip_vs"], check=False)


def show(service: Service) -> str:
    """A service in words."""
    if service.mark:
        return f"mark {service.mark:#x} (IPv{service.family})"
    address = socket.inet_ntop(_AFS[service.family], service.address)
    return f"{f'[{address}]' if service.family == 6 else address}:{service.port}/{service.protocol}"


def _head(command: int) -> bytes:
    return struct.pack("=BBH", command, 1, 0)


def _u16(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("=H", value))


def service_key(service: Service) -> bytes:
    """What a service is known by."""
    family = _u16(_AF, _AFS[service.family])
    if service.mark:
        return family + u32(_MARK, service.mark)
    place = attribute(_ADDRESS, service.address.ljust(16, b"\0")) + attribute(_PORT, struct.pack(">H", service.port))
    return family + _u16(_PROTOCOL, service.protocol) + place


def _full(service: Service, settings: Settings) -> bytes:
    return nested(
        _SERVICE,
        service_key(service),
        text(_SCHEDULER, settings.scheduler),
        attribute(_FLAGS, struct.pack("=II", settings.flags, 0xFFFFFFFF)),
        u32(_TIMEOUT, settings.timeout),
        u32(_NETMASK, 0xFFFFFFFF if service.family == 4 else 128),  # each address is a client of its own
    )


def _both(service: Service, destination: Destination, weight: int) -> bytes:
    return nested(_SERVICE, service_key(service)) + nested(
        _DEST,
        attribute(_D_ADDRESS, destination.address.ljust(16, b"\0")),
        attribute(_D_PORT, struct.pack(">H", destination.port)),
        u32(_D_METHOD, 0),
        u32(_D_WEIGHT, weight),
        u32(_D_UPPER, 0),
        u32(_D_LOWER, 0),
        _u16(_D_FAMILY, _AFS[service.family]),
    )


def _seen_service(body: bytes) -> tuple[Service, Settings]:
    seen = attributes(attributes(body, 4)[_SERVICE])
    family = _FAMILIES[_number(seen[_AF])]
    flags, _mask = struct.unpack_from("=II", seen[_FLAGS])
    settings = Settings(string(seen[_SCHEDULER]), flags & ~_HASHED, _number(seen[_TIMEOUT]))
    if _MARK in seen:
        return Service(family, mark=_number(seen[_MARK])), settings
    address = seen[_ADDRESS][: 4 if family == 4 else 16]
    return Service(family, _number(seen[_PROTOCOL]), address, int.from_bytes(seen[_PORT], "big")), settings


def _seen_destination(body: bytes, family: int) -> tuple[Destination, SeenDestination]:
    seen = attributes(attributes(body, 4)[_DEST])
    place = Destination(seen[_D_ADDRESS][: 4 if family == 4 else 16], int.from_bytes(seen[_D_PORT], "big"))
    return place, SeenDestination(_number(seen[_D_WEIGHT]), _number(seen[_D_ACTIVE]) + _number(seen[_D_INACTIVE]))


def _number(payload: bytes) -> int:
    return int(struct.unpack("=H" if len(payload) == 2 else "=I", payload)[0])
