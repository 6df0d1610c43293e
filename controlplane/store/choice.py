"""Which engine, and where: what configuration and command line say, checked; an engine is imported only when it is chosen."""

from __future__ import annotations

import re
from pathlib import Path

from controlplane.store.copying import unfinished
from controlplane.store.interface import Store, Unavailable
from kit.clock import Clock
from kit.config import Section

_ENDPOINT = re.compile(r"(?:(https?)://)?(\[[0-9a-fA-F:.]+\]|[^\s/:\[\]@]+):(\d{1,5})/?")


class Etcd(Section, frozen=True, kw_only=True):
    """An etcd cluster: its endpoints (HOST:PORT, or a URL of http or https), certificate files, and the prefix of our keys in it."""

    endpoints: tuple[str, ...]
    ca_cert: str = ""
    cert: str = ""
    key: str = ""
    prefix: str = "/wherry"

    @property
    def secure(self) -> bool:
        """Whether TLS is spoken."""
        return bool(self.ca_cert or self.cert) or any(one.startswith("https:") for one in self.endpoints)

    @property
    def hosts(self) -> tuple[str, ...]:
        """HOST:PORT of each endpoint. Raises ValueError."""
        return tuple(_host(endpoint) for endpoint in self.endpoints)

    def problem(self) -> str:
        """What is wrong with it; "" for nothing."""
        try:
            if not self.hosts:
                return "at least one endpoint is needed"
        except ValueError as error:
            return str(error)
        if self.secure and any(one.startswith("http:") for one in self.endpoints):
            return "either all endpoints are https, or none"
        if bool(self.cert) != bool(self.key):
            return "cert and key belong together: give both, or none"
        if not re.fullmatch(r"(/[^/\s]+)+", self.prefix):
            return f"prefix {self.prefix!r} is not of the form /name"
        missing = [path for path in (self.ca_cert, self.cert, self.key) if path and not Path(path).is_file()]
        return f"there is no file {missing[0]}" if missing else ""

    def __str__(self) -> str:
        return f"etcd at {', '.join(self.endpoints)}"


def _host(endpoint: str) -> str:
    found = _ENDPOINT.fullmatch(endpoint)
    if found is None or not 0 < int(found[3]) < 65536:
        raise ValueError(f"{endpoint!r} is no endpoint, such as https://192.0.2.1:2379")
    return f"{found[2]}:{found[3]}"


async def open_store(place: Path | Etcd, clock: Clock) -> Store:
    """Open what a control plane uses: SQLite's file at a path, or etcd. Raises Unavailable."""
    store = await open_engine(place, clock)
    if await unfinished(store):
        await store.close()
        raise Unavailable(f"cannot open store {place}: a copy into it was not finished. Run 'wherry store copy' again.")
    return store


async def open_engine(place: Path | Etcd, clock: Clock) -> Store:
    """Open a store whatever is in it. Raises Unavailable."""
    if isinstance(place, Etcd):
        from controlplane.store.etcd import EtcdStore  # gRPC costs memory that SQLite's users need not pay

        return await EtcdStore.open(place, clock)
    from controlplane.store.sqlite import SqliteStore

    return await SqliteStore.open(place, clock)
