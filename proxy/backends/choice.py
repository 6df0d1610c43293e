"""Which backend runs, and how those that do not are cleaned up."""

from linux import iptables, nft
from proxy.backends.interface import Backend, BackendError
from proxy.backends.iptables import IptablesBackend
from proxy.backends.nftables import NftablesBackend

AUTO, NFTABLES, IPTABLES = "auto", "nftables", "iptables"


def choose(mode: str, variant: str = AUTO) -> Backend:
    """The backend that is asked for; for `auto` nftables if the kernel can do it, else iptables."""
    reasons = []
    for name in (NFTABLES, IPTABLES) if mode == AUTO else (mode,):
        backend: Backend | None = None
        try:
            backend = _make(name, variant)
            reason = backend.probe()
        except (nft.NftError, BackendError) as error:
            reason = str(error)
        if backend is not None and not reason:
            return backend
        if backend is not None:
            backend.close()
        reasons.append(f"{name}: {reason}")
    hint = "" if mode == AUTO else "; mode auto would look for another"
    raise BackendError(f"cannot use proxy mode {mode}: {'; '.join(reasons)}{hint}")


def _make(name: str, variant: str) -> Backend:
    if name == NFTABLES:
        return NftablesBackend(nft.Kernel(), nft.Monitor)
    return IptablesBackend(iptables.Programs(iptables.detect() if variant == AUTO else variant), nft.Monitor)


def clean_others(chosen: Backend) -> list[str]:
    """Remove what backends other than the chosen one left in the kernel; it must be programmed by now."""
    return _clean(keep=_identity(chosen))


def clean_all() -> list[str]:
    """Remove every trace of every backend."""
    return _clean(keep="")


def _identity(backend: Backend) -> str:
    variant = f"-{backend.variant}" if isinstance(backend, IptablesBackend) else ""
    return f"{backend.name}{variant}"


def _clean(keep: str) -> list[str]:
    removed: list[str] = []
    errors: list[Exception] = []
    for name, variant in ((NFTABLES, ""), (IPTABLES, iptables.NFT), (IPTABLES, iptables.LEGACY)):
        backend: Backend | None = None
        try:
            backend = _make(name, variant)
            if _identity(backend) != keep:
                removed += backend.cleanup()
        except BackendError as error:
            errors.append(error)
        except nft.NftError as error:
            errors.append(BackendError(str(error)))
        finally:
            if backend is not None:
                backend.close()
    if errors:
        raise ExceptionGroup("cannot remove all proxy rules", errors)
    return removed
