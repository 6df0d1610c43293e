"""One suite for the kernel's settings and the fake; the real one works on a copy of the tree so that no machine is changed."""

from pathlib import Path

import pytest

from linux.sysctl import FakeSysctl, NotFound, ProcSysctl, Sysctl, SysctlError

VALUES = {
    "net.ipv4.ip_forward": "0",
    "net/ipv4/conf/eth0.7/forwarding": "1",
    "net.ipv4.ip_local_port_range": "32768\t60999",
}


@pytest.fixture(params=["real", "fake"])
def sysctl(request: pytest.FixtureRequest, tmp_path: Path) -> Sysctl:
    if request.param == "fake":
        return FakeSysctl(VALUES)
    for name, value in VALUES.items():
        path = tmp_path / (name if "/" in name else name.replace(".", "/"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(value + "\n")
    return ProcSysctl(str(tmp_path))


def test_write_tells_whether_it_changed_anything(sysctl: Sysctl) -> None:
    assert sysctl.read("net.ipv4.ip_forward") == "0"
    assert sysctl.write("net.ipv4.ip_forward", "1") is True
    assert sysctl.write("net.ipv4.ip_forward", "1") is False
    assert sysctl.read("net/ipv4/ip_forward") == "1"


def test_a_dot_inside_a_part_is_kept_when_slashes_separate(sysctl: Sysctl) -> None:
    assert sysctl.read("net/ipv4/conf/eth0.7/forwarding") == "1"
    with pytest.raises(NotFound):
        sysctl.read("net.ipv4.conf.eth0.7.forwarding")


def test_lists_compare_by_their_words(sysctl: Sysctl) -> None:
    assert sysctl.write("net.ipv4.ip_local_port_range", "32768 60999") is False


@pytest.mark.parametrize("verb", ["read", "write"])
def test_a_missing_setting_is_named(sysctl: Sysctl, verb: str) -> None:
    with pytest.raises(NotFound, match=r"kernel setting net\.ipv4\.no_such_thing: No such file"):
        sysctl.read("net.ipv4.no_such_thing") if verb == "read" else sysctl.write("net.ipv4.no_such_thing", "1")


@pytest.mark.parametrize("name", ["", "../etc/passwd", "net..ipv4", "net/../../x", "/etc/passwd", "net.ipv4."])
def test_a_name_cannot_leave_the_tree(sysctl: Sysctl, name: str) -> None:
    with pytest.raises(SysctlError, match="not a name such as"):
        sysctl.read(name)


def test_the_running_kernel_answers() -> None:
    assert ProcSysctl().read("kernel.ostype") == "Linux"
