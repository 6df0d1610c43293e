"""The nftables backend: constant chains, big maps, one netlink transaction per change."""

from proxy.backends.nftables.backend import NftablesBackend

__all__ = ["NftablesBackend"]
