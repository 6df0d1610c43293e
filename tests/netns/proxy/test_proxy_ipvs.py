"""IPVS in a machine whose kernel has it: the door's suite, in one boot."""

import sys

import pytest

from testbed.machine import Machine

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.long]

SUITES = ("tests/contract/linux/test_ipvs_contract.py",)


def test_what_needs_a_kernel_with_ipvs() -> None:
    with Machine("ipvs", memory="384M") as machine:
        machine.sh("modprobe ip_vs")
        argv = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *SUITES]
        done = machine.run(argv, env={"IPVS_MACHINE": "1"}, timeout=1200, check=False)
        assert done.code == 0, done.text[-20_000:] + done.err.decode(errors="replace")[-2000:]
