"""The proxy's command line: upstream's flags mean what they mean there, or are refused by name."""

import argparse
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kit.config import ConfigError
from proxy import flags
from proxy.config import Config
from proxy.kubeproxy import KubeProxyConfiguration


def parsed(*argv: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    flags.add_options(parser)
    return parser.parse_args(argv)


PLAIN = Config(node_name="n", kubeconfig="/k", external_ips=True)


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ((), {}),
        (("--proxy-mode=iptables", "--v=2", "--profiling"), {"mode": "iptables"}),
        (("--proxy-mode", "nftables"), {"mode": "nftables", "node_port_addresses": ["primary"]}),
        (("--cluster-cidr=10.244.0.0/16,fd00::/48",), {"cluster_cidr": "10.244.0.0/16,fd00::/48"}),
        (("--nodeport-addresses=10.0.0.0/8, fd00::/8",), {"node_port_addresses": ["10.0.0.0/8", "fd00::/8"]}),
        (
            ("--healthz-bind-address=127.0.0.1", "--metrics-bind-address="),
            {"healthz": "127.0.0.1:10256", "metrics": ""},
        ),
        (("--master=http://10.0.0.1:8080",), {"server": "http://10.0.0.1:8080"}),
        (("--masquerade-all=false", "--iptables-masquerade-bit=14", "--conntrack-min=0", "-v", "4"), {}),
    ],
)
def test_flags(argv: tuple[str, ...], expected: dict[str, Any]) -> None:
    found = flags.configure(parsed("--hostname-override=N", "--kubeconfig=/k", *argv))
    assert found == msgspec.structs.replace(PLAIN, **expected)


def test_ipvs() -> None:
    found = flags.configure(parsed("--proxy-mode=ipvs", "--ipvs-scheduler=lc", "--ipvs-strict-arp"))
    assert (found.mode, found.ipvs.scheduler, found.ipvs.strict_arp) == ("ipvs", "lc", True)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ("--proxy-mode=userspace", "cannot use flag --proxy-mode: there is no userspace"),
        ("--masquerade-all", "cannot use flag --masquerade-all: .* set it to false"),
        ("--iptables-localhost-nodeports=true", "cannot use flag --iptables-localhost-nodeports: "),
        ("--iptables-masquerade-bit=fifteen", "cannot use flag --iptables-masquerade-bit: 'fifteen' is no number"),
        ("--iptables-masquerade-bit=15", "cannot use flag --iptables-masquerade-bit: the bit is 14"),
        ("--ipvs-tcp-timeout=1h", "cannot use flag --ipvs-tcp-timeout: "),
        ("--detect-local-mode=NodeCIDR", "cannot use flag --detect-local-mode: "),
        ("--cluster-cidr=10.244.0.0/99", "cannot use flag --cluster-cidr: cannot use network"),
        ("--nodeport-addresses=primary,10.0.0.0/8", "cannot use flag --nodeport-addresses: give primary alone"),
        ("--healthz-port=0", "cannot use flag --healthz-port: give --healthz-bind-address"),
        ("--write-config-to=/x", "cannot use flag --write-config-to: "),
        ("--init-only", "cannot use flag --init-only: "),
    ],
)
def test_what_cannot_be_had_is_refused_by_its_flag(argv: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        flags.configure(parsed(argv))


@pytest.mark.parametrize("argv", [["--bogus"], ["--masquerade-all=maybe"], ["clean"], ["--proxy=iptables"]])
def test_what_nobody_knows(argv: list[str]) -> None:
    with pytest.raises(SystemExit):
        parsed(*argv)


def test_beside_a_file(tmp_path: Path) -> None:
    path = tmp_path / "proxy.yaml"
    path.write_text("nodeName: a\nkubeconfig: /k\n")
    found = flags.configure(parsed(f"--config={path}", "--hostname-override=B", "--master=http://x", "--v=9"))
    assert found == Config(node_name="b", kubeconfig="/k", server="http://x")
    path.write_text("nodeName: a\nkubeconfig: /k\nserver: http://y\n")
    assert flags.configure(parsed(f"--config={path}")).server == "http://y"
    with pytest.raises(ConfigError, match=f"cannot use flag --proxy-mode beside --config: set mode in {path}"):
        flags.configure(parsed(f"--config={path}", "--proxy-mode=ipvs"))


@pytest.mark.parametrize(
    ("argv", "wanted"), [("", False), ("cleanup", True), ("--cleanup", True), ("--cleanup=false", False)]
)
def test_cleanup(argv: str, wanted: bool) -> None:
    assert flags.wants_cleanup(parsed(*argv.split())) is wanted


def test_each_flag_stands_for_a_field_that_there_is() -> None:
    for field, _ in [*flags.FIELDS.values(), *flags.SWITCHES.values()]:
        kind: Any = KubeProxyConfiguration
        for name in field.split("."):
            (found,) = (one for one in msgspec.structs.fields(kind) if one.encode_name == name)
            kind = found.type
