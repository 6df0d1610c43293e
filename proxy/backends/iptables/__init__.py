"""The iptables backend: own chains, hooked into the built-in ones, changed in batches of only what changed."""

from proxy.backends.iptables.backend import IptablesBackend

__all__ = ["IptablesBackend"]
