"""Removes everything the pod network made on this host: `wherry reset`."""

from contextlib import closing

from cni import ipam
from cni.config import BRIDGE
from cni.errors import CniError
from cni.host import Host, KernelHost
from cni.ipam import Store
from cni.ports import PREFIX, SHAPER, TABLE
from cni.rules import ALL_FAMILIES
from linux.links import NetlinkError
from linux.nft import NftError
from linux.nft.objects import destroy_table


def remove_all(data_dir: str, host: Host | None = None) -> None:
    """Remove ports, bridges, tables and the address store. Goes on after a failure; an ExceptionGroup tells of all."""
    doors = host or KernelHost()
    failures: list[Exception] = []
    try:
        bridges = _bridges(data_dir, failures)
        for link in doors.links.links():
            port = link.name.startswith(PREFIX) and link.alias.count("/") == 1
            if link.name in bridges or port or (link.kind == "ifb" and link.name.startswith(SHAPER)):
                try:
                    doors.links.remove(link.name)
                except NetlinkError as error:
                    failures.append(error)
        _remove_tables(doors, failures)
        try:
            ipam.remove(data_dir)
        except OSError as error:
            failures.append(error)
    finally:
        doors.close()
    if failures:
        raise ExceptionGroup("cannot remove all of the pod network", failures)


def _bridges(data_dir: str, failures: list[Exception]) -> set[str]:
    names = {BRIDGE}
    try:
        with closing(Store(data_dir)) as store:
            names |= {network.bridge for network in store.state().networks}
    except CniError as error:
        failures.append(error)
    return names


def _remove_tables(host: Host, failures: list[Exception]) -> None:
    try:
        present = [family for family in ALL_FAMILIES if host.has_table(family, TABLE)]
        if present:
            door = host.nft()
            try:
                door.commit([destroy_table(family, TABLE) for family in present])
            finally:
                door.close()
    except (NetlinkError, NftError) as error:
        failures.append(error)
