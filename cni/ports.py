"""Names: the host's ends of pods' links, what limits them, the rules about them; the MAC address of a pod without an IP address. Pure."""

import _blake2

PREFIX, SHAPER = "wv", "ws"
TABLE = "wherry-cni"


def port_name(network: str, container: str, ifname: str) -> str:
    """The host's end of a pod's link: the same name for the same attachment, so that a DEL needs nothing else."""
    return PREFIX + _digest(network, container, ifname).hex()


def shaper_name(port: str) -> str:
    """The link that limits how fast the pod behind a port sends, where one does."""
    return SHAPER + port.removeprefix(PREFIX)


def mac_for(network: str, container: str, ifname: str) -> str:
    """A MAC address for a pod without an IP address that one could be made of."""
    return (b"\x0a\x59" + _digest(network, container, ifname)[:4]).hex(":")


def _digest(*parts: str) -> bytes:
    # hashlib would load OpenSSL (2 ms); this is what its blake2s is made of.
    return _blake2.blake2s("/".join(parts).encode(), digest_size=6).digest()
