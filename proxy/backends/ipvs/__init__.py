"""The IPVS backend: the kernel's load balancer, a link that holds the Services' addresses, and some iptables rules."""

from proxy.backends.ipvs.backend import Doors, IpvsBackend

__all__ = ["Doors", "IpvsBackend"]
