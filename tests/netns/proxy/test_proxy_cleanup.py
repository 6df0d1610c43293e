"""`wherry proxy cleanup`: nothing of ours stays in the kernel, and nothing of others goes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from linux import ipvs
from proxy import cleanup
from tests.netns.proxy.bed import BACKENDS, INGRESS, Bed, make_backend, service, slices

pytestmark = pytest.mark.root
CHECKOUT = Path(__file__).parents[3]
WHERRY = (sys.executable, "-m", "cli")
FEATURES = {"sessionAffinity": "ClientIP", "loadBalancerSourceRanges": ["192.0.2.0/24", "2001:db8::/64"]}
# In all built-in chains: the nft variant makes each when it is first used, and keeps it.
OTHERS_IPTABLES = """\
*nat
:KUBE-SERVICES - [0:0]
:WHERRYMAN - [0:0]
-A PREROUTING -j KUBE-SERVICES
-A OUTPUT -j KUBE-SERVICES
-A POSTROUTING -s {address} -j MASQUERADE
-A KUBE-SERVICES -d {address} -p tcp -j WHERRYMAN
-A WHERRYMAN -j RETURN
COMMIT
*filter
-A INPUT -s {address} -j ACCEPT
-A OUTPUT -s {address} -j ACCEPT
-A FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT
COMMIT
"""
OTHERS_NFT = """\
table ip kube-proxy {
  map services { type inet_service : verdict; elements = { 80 : drop } }
  chain prerouting { type nat hook prerouting priority -101; tcp dport vmap @services; }
}
table inet wherry-proxy { }
table ip wherry-proxy-of-mine { }
"""


def run(*argv: str, text: str = "") -> str:
    return subprocess.run(argv, input=text, capture_output=True, text=True, check=True, cwd=CHECKOUT).stdout


def make_others(kind: str) -> None:
    """What an administrator or another proxy may have there."""
    for program, address in (("iptables", "192.0.2.1"), ("ip6tables", "2001:db8::1")):
        for variant in ("legacy",) if kind == "ipvs" else ("nft", "legacy"):
            run(f"{program}-{variant}-restore", "--noflush", text=OTHERS_IPTABLES.format(address=address))
    if kind == "ipvs":
        door = ipvs.Kernel()
        door.add(ipvs.Service(4, 6, b"\xc0\x00\x02\x01", 80), ipvs.Settings("rr"))
        door.close()
    else:
        run("nft", "-f", "-", text=OTHERS_NFT)


def everything(kind: str) -> list[str]:
    """All rules, virtual services, links and addresses of the node."""
    shown = [run(f"{program}-legacy-save") for program in ("iptables", "ip6tables")]
    shown += [run("ip", "-o", "address"), run("ip", "-o", "link")]
    if kind == "ipvs":
        door = ipvs.Kernel()
        shown += sorted(f"{service} {found}" for service, found in door.services().items())
        door.close()
    else:
        shown.append(run("nft", "list", "ruleset"))
    lines = (line for text in shown for line in text.splitlines() if not line.startswith("#"))
    return [line.partition(" [")[0] for line in lines]  # without counters


@pytest.mark.parametrize("kind", BACKENDS)
def test_nothing_of_ours_stays_and_nothing_of_others_goes(kind: str) -> None:
    balanced = service("web", 1, nodePort=30080, type="LoadBalancer", ingress=list(INGRESS.values()), **FEATURES)
    local = service("dns", 2, protocol="UDP", externalTrafficPolicy="Local", nodePort=30053)
    with Bed("clean", kind) as bed:
        with bed.inside("node"):
            make_others(kind)
            before = everything(kind)
            backend = make_backend(kind)
        bed.use(backend)
        bed.put(balanced, slices("web", [("a", 0), ("b", 0)]))
        bed.put(local, slices("dns", [("a", 0)], protocol="UDP"))
        with bed.inside("node"):
            backend.close()
            assert everything(kind) != before
            assert run(*WHERRY, "proxy", "--cleanup").startswith("removed ")
            assert "\n".join(everything(kind)) == "\n".join(before)
            assert cleanup() == []
