"""What the node itself adds to the picture."""

import msgspec

from proxy.model import addresses
from proxy.model.addresses import BadAddress


class Network(msgspec.Struct, frozen=True):
    """A CIDR."""

    address: bytes
    prefix: int

    def __str__(self) -> str:
        return f"{addresses.show(self.address)}/{self.prefix}"


class Facts(msgspec.Struct, frozen=True):
    """The node's name, the pod networks (none or one per family), and what the operator allows."""

    node_name: str = ""
    cluster: tuple[Network, ...] = ()
    external_ips: bool = False

    def cluster_network(self, family: int) -> Network | None:
        """The pod network of this family: traffic from elsewhere is masqueraded."""
        return next((one for one in self.cluster if addresses.family_of(one.address) == family), None)


def parse_networks(text: str) -> tuple[Network, ...]:
    """Networks from a comma-separated list, at most one per family."""
    found = [Network(*addresses.network(part.strip())) for part in text.split(",") if part.strip()]
    families = [addresses.family_of(one.address) for one in found]
    if len(set(families)) != len(families):
        raise BadAddress(f"cannot use cluster CIDR {text!r}: give at most one network per family")
    return tuple(found)
