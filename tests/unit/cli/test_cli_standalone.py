"""A node without an API server: what it finds out by itself."""

from pathlib import Path

import pytest

from cli.errors import CliError
from cli.facts import choose_address
from cli.layout import Layout
from cli.main import main
from cli.standalone import certificates, make_config
from kit import pki


@pytest.mark.parametrize(
    ("addresses", "route", "expected"),
    [
        ({"lo": ["127.0.0.1"], "eth0": ["192.0.2.7"]}, "eth0", "192.0.2.7"),
        ({"eth0": ["10.0.2.15"], "eth1": ["192.168.56.11"]}, "eth0", "192.168.56.11"),  # Vagrant
        ({"eth0": ["10.0.2.15"], "eth1": ["192.168.56.11"], "docker0": ["172.17.0.1"]}, "eth0", "192.168.56.11"),
        ({"docker0": ["172.17.0.1"], "eth0": ["10.0.2.15"]}, "eth0", "10.0.2.15"),  # there is no other
        ({"eth0": ["192.168.121.5"], "eth1": ["10.1.1.1"]}, "eth0", "192.168.121.5"),
        ({"a": ["169.254.1.1"], "b": ["192.0.2.7"], "wherry0": ["10.244.0.1"]}, "", "192.0.2.7"),
        ({"lo": ["127.0.0.1"], "wherry0": ["10.244.0.1"]}, "", ""),
        ({"eth0": []}, "eth0", ""),
    ],
)
def test_which_address_is_the_nodes(addresses: dict[str, list[str]], route: str, expected: str) -> None:
    assert choose_address(addresses, route)[0] == expected


def test_everything_is_found_out(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.containerd_socket.parent.mkdir(parents=True)
    layout.containerd_socket.touch()
    config = make_config(str(tmp_path / "manifests"), layout=layout)
    assert config.kubeconfig == "" and config.static_pod_path == str(tmp_path / "manifests")
    assert config.runtime_endpoint == f"unix://{layout.containerd_socket}" and config.own_pod_cidr
    assert config.listen.startswith("127.0.0.1:") and config.read_only.startswith("127.0.0.1:")
    admin = pki.subject((tmp_path / "var/lib/wherry/agent/pki/admin.crt").read_bytes())
    assert admin.organizations == ("system:masters",)


def test_certificates_are_kept_and_renewed(tmp_path: Path) -> None:
    def seen() -> list[bytes]:
        return [(tmp_path / f"{name}.crt").read_bytes() for name in ("ca", "serving", "admin")]

    certificates(tmp_path, "n1", ["192.0.2.1"])
    first = seen()
    certificates(tmp_path, "n1", ["192.0.2.1"])
    assert seen() == first
    certificates(tmp_path, "n1", ["192.0.2.2"])
    assert [a == b for a, b in zip(seen(), first, strict=True)] == [True, False, True]
    (tmp_path / "ca.key").unlink()
    certificates(tmp_path, "n1", ["192.0.2.2"])
    assert not {*seen()} & {*first}


def test_a_file_may_say_some_of_it(tmp_path: Path) -> None:
    file = tmp_path / "agent.yaml"
    file.write_text(
        "nodeName: n1\nnodeAddress: 192.0.2.1\nkubeconfig: /k\nruntimeEndpoint: unix:///c\n"
        "pki: {cert: /c, key: /k, clientCa: /ca}\n"
    )
    config = make_config(str(tmp_path), str(file))
    assert (config.kubeconfig, config.static_pod_path, config.node_name) == ("", str(tmp_path), "n1")


def test_what_cannot_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CliError, match="is not a directory"):
        make_config(str(tmp_path / "file"), layout=Layout(tmp_path))
    with pytest.raises(CliError, match="there is no container runtime"):
        make_config(str(tmp_path), layout=Layout(tmp_path))
    with pytest.raises(SystemExit):
        main(["agent"])
    assert "one of --config FILE and --standalone DIR is required" in capsys.readouterr().err
