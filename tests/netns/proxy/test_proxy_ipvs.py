"""IPVS in a machine whose kernel has it: the suites of the door and of all backends, and their packets, in one boot."""

import sys

import pytest

from testbed.machine import Machine

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.long]

SUITES = (
    "tests/contract/linux/test_ipvs_contract.py",
    "tests/contract/proxy_backends/test_proxy_backends.py",
    "tests/netns/proxy/test_proxy_packets.py",
    "tests/netns/proxy/test_proxy_flow_table.py",
    "tests/netns/proxy/test_proxy_cleanup.py",
    "tests/netns/proxy/test_proxy_moves.py",
)
# Flows to UDP endpoints that went are deleted by IPVS itself; lists of thousands are the same code as short ones; affinity
# ends minutes after its timeout: when the kernel has forgotten the client's connections; IPVS keeps those to endpoints that went.
CHOSEN = (
    "ipvs and not fake and not refusal and not stale_udp and not thousands and not stays_away and not gone_is_reset"
)
PREPARE = "modprobe ip_vs; modprobe nf_conntrack; echo 65536 > /proc/sys/net/netfilter/nf_conntrack_max"


def test_what_needs_a_kernel_with_ipvs() -> None:
    with Machine("ipvs", memory="384M") as machine:
        machine.sh(PREPARE)
        argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *SUITES, "-k", CHOSEN, "--durations=10"]
        done = machine.run(argv, env={"IPVS_MACHINE": "1"}, timeout=1800, check=False)
        print(done.text)
        assert done.code == 0, done.text[-20_000:] + done.err.decode(errors="replace")[-2000:]
