"""Which backend runs, and how those that do not are cleaned up."""

from typing import NamedTuple

from linux import iptables, ipvs, nft
from linux.netlink import NetlinkError, NotFound
from linux.rtnl import RtnlLinks
from linux.rtnl_watch import Watch as NetworkWatch
from linux.sysctl import ProcSysctl
from proxy.backends.interface import Backend, BackendError
from proxy.backends.iptables import IptablesBackend
from proxy.backends.ipvs import Doors, IpvsBackend
from proxy.backends.nftables import NftablesBackend

AUTO, NFTABLES, IPTABLES, IPVS = "auto", "nftables", "iptables", "ipvs"


class IpvsOptions(NamedTuple):
    """What the IPVS backend is told."""

    scheduler: str = "rr"
    strict_arp: bool = False


def choose(mode: str, variant: str = AUTO, options: IpvsOptions = IpvsOptions()) -> Backend:
    """The backend that is asked for; for `auto` nftables if the kernel can do it, else iptables."""
    reasons = []
    if mode == IPVS:
        ipvs.load_module()
    for name in (NFTABLES, IPTABLES) if mode == AUTO else (mode,):
        backend: Backend | None = None
        try:
            backend = _make(name, variant, options)
            reason = backend.probe()
        except (nft.NftError, NetlinkError, BackendError) as error:
            reason = str(error)
        if backend is not None and not reason:
            return backend
        if backend is not None:
            backend.close()
        reasons.append(f"{name}: {reason}")
    hint = "" if mode == AUTO else "; mode auto would look for another"
    raise BackendError(f"cannot use proxy mode {mode}: {'; '.join(reasons)}{hint}")


def _make(name: str, variant: str, options: IpvsOptions = IpvsOptions()) -> Backend:
    if name == NFTABLES:
        return NftablesBackend(nft.Kernel(), nft.Monitor)
    programs = iptables.Programs(iptables.detect() if variant == AUTO else variant)
    if name == IPVS:
        doors = Doors(ipvs.Kernel(), RtnlLinks(), programs, ProcSysctl())
        return IpvsBackend(doors, options.scheduler, options.strict_arp, nft.Monitor, NetworkWatch)
    return IptablesBackend(programs, nft.Monitor)


def clean_others(chosen: Backend) -> list[str]:
    """Remove what backends other than the chosen one left in the kernel; it must be programmed by now."""
    return _clean(keep=_identity(chosen))


def clean_all() -> list[str]:
    """Remove every trace of every backend."""
    return _clean(keep=("", ""))


def _identity(backend: Backend) -> tuple[str, str]:
    return backend.name, backend.variant if isinstance(backend, IptablesBackend | IpvsBackend) else ""


def _clean(keep: tuple[str, str]) -> list[str]:
    removed: list[str] = []
    errors: list[Exception] = []
    each = [(NFTABLES, ""), *((name, one) for name in (IPTABLES, IPVS) for one in (iptables.NFT, iptables.LEGACY))]
    for name, variant in each:
        backend: Backend | None = None
        try:
            backend = _make(name, variant)
            if isinstance(backend, IpvsBackend) and keep[0] == IPVS:  # all but the rules is the chosen one's too
                removed += backend.cleanup_rules() if keep[1] != variant else []
            elif _identity(backend) != keep:
                removed += backend.cleanup()
        except NotFound:
            continue  # a kernel without IPVS has nothing of it
        except BackendError as error:
            errors.append(error)
        except (nft.NftError, NetlinkError) as error:
            errors.append(BackendError(str(error)))
        finally:
            if backend is not None:
                backend.close()
    if errors:
        raise ExceptionGroup("cannot remove all proxy rules", errors)
    return removed
