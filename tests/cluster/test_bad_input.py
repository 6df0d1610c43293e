"""Wrong input, a machine that cannot: one line that says what is wrong and what to do, and nothing half-made left."""

import re

import pytest

from testbed import Node, Snapshot, Switch
from testbed.checkout import CHECKOUT
from tests.cluster.conftest import DEMO, KUBECTL_CACHE, WHERRY, Host

pytestmark = [pytest.mark.root, pytest.mark.cluster, pytest.mark.slow]

LINE = re.compile(r"wherry: cannot [^\n]+: [^\n]+\. [A-Z][^\n]+")


def refused(host: Host, *arguments: str, clean: bool = True) -> str:
    """The one line of an `up` that must fail and leave nothing."""
    before = Snapshot.take(host.node) if clean else None
    done = host.wherry(*(arguments or ("up",)), check=False)
    said = done.err.decode().strip()
    assert done.code not in (0, None), done.text
    assert LINE.fullmatch(said), said
    if before is not None:
        found = host.leftovers(before)
        assert not found, found
    return said


def agent_is_well(host: Host) -> None:
    """Now, or as soon as it answers in time again: machines are shared."""
    host.until("the agent is well", lambda: host.status()["agent"]["healthy"])


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--node-name", "Under_score"], "--node-name"),
        (["--node-address", "203.0.113.7"], "203.0.113.7 is not an address of this machine"),
        (["--node-address", "here"], "Give an IPv4 address"),
        (["--pod-cidr", "10.244.0.0/30"], "--pod-cidr"),
        (["--pod-cidr", "192.168.0.0/16"], "this machine's address 192.168.77.11 lies in 192.168.0.0/16"),
    ],
)
def test_wrong_values(host: Host, arguments: list[str], reason: str) -> None:
    assert reason in refused(host, "up", *arguments)


def test_wrong_flag(host: Host) -> None:
    done = host.wherry("up", "--nonsense", check=False)
    assert done.code == 2
    assert "unrecognized arguments: --nonsense" in done.err.decode()


@pytest.mark.parametrize("command", ["up", "down", "reset", "status"])
def test_no_root(host: Host, command: str) -> None:
    # The launcher's .venv is there; whoever may read it may be told. A checkout in a home directory can be reached here.
    for folder in CHECKOUT.parents:
        host.node.run(["chmod", "o+x", str(folder)], check=False)
    argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", WHERRY, command]
    done = host.node.run(argv, check=False)
    assert done.code == 1
    assert LINE.fullmatch(done.err.decode().strip()), done.err.decode()
    assert "it needs root" in done.err.decode()


def test_a_port_in_use(host: Host) -> None:
    busy = host.start("/usr/bin/python3", "-m", "http.server", "10250")
    host.until("it listens", lambda: "10250" in host.node.sh("ss -ltn").text)
    said = refused(host)
    assert "port 10250, needed by the node agent, is in use by python3" in said
    assert re.search(r"\(process \d+\)", said)
    busy.terminate()
    busy.wait()


def test_another_kubernetes(host: Host) -> None:
    host.node.sh("cp /bin/sleep /tmp/kubelet")
    kubelet = host.start("/tmp/kubelet", "1000")
    host.until("it runs", lambda: host.node.sh("pgrep -x kubelet").text)
    assert "of another Kubernetes runs here" in refused(host)
    kubelet.terminate()
    kubelet.wait()


def test_the_cluster_of_another_checkout(host: Host) -> None:
    host.node.sh(
        "mkdir /etc/wherry; printf 'checkout: /srv/other\\nnodeName: one\\nnodeAddress: 192.168.77.11\\n' > /etc/wherry/cluster.yaml"
    )
    assert "'/srv/other/wherry reset'" in refused(host)


def test_an_old_containerd(host: Host) -> None:
    host.node.sh(
        "printf '#!/bin/sh\\necho containerd github.com/containerd/containerd 1.4.13~ds1 x\\n' > /usr/local/bin/containerd;"
        "chmod +x /usr/local/bin/containerd"
    )
    assert "containerd 1.4.13 is too old, 1.6 or newer is needed" in refused(host)


def test_packages_are_missing_and_no_mirror_answers(host: Host) -> None:
    policy = host.node.path("/usr/sbin/policy-rc.d")
    had_policy = policy.exists()
    host.node.sh(
        """
        rm /etc/resolv.conf
        touch /etc/resolv.conf
        rm /usr/sbin/conntrack
        rm -f /var/cache/apt/archives/*.deb
        dpkg --force-depends --remove conntrack >/dev/null 2>&1
        """
    )
    said = refused(host, clean=False)
    assert "cannot install conntrack" in said
    assert not host.node.path("/etc/wherry").exists()
    assert policy.exists() == had_policy, "what keeps services from starting is gone again"


def test_a_kernel_without_bridges(host: Host) -> None:
    """As on kernels without the module: `ip link add ... type bridge` is refused."""
    host.node.sh(
        'printf \'#!/bin/sh\\ncase "$*" in *bridge*) echo Unknown device type >&2; exit 2;; esac\\nexec /usr/sbin/ip "$@"\\n\''
        " > /usr/local/sbin/ip; chmod +x /usr/local/sbin/ip"
    )
    assert "the kernel lacks bridge" in refused(host)


def test_a_full_disk(host: Host) -> None:
    host.node.sh("mount -t tmpfs -o size=64m tmpfs /var/lib/wherry")
    assert "MiB are free on the disk of /var/lib/wherry" in refused(host)


def test_a_disk_that_fills_up_on_the_way(host: Host) -> None:
    """There is room for the first files, then no more. What was made is undone."""
    host.node.sh("mkdir /etc/wherry; mount -t tmpfs -o size=16k tmpfs /etc/wherry")
    assert "the disk is full" in refused(host)


def test_a_broken_configuration_is_written_anew_and_a_broken_cluster_file_is_named(host: Host) -> None:
    host.wherry("up")
    host.node.path("/etc/wherry/agent.yaml").write_text("nodename: one\n")
    host.wherry("up")
    assert "nodeName: one" in host.node.path("/etc/wherry/agent.yaml").read_text()
    host.node.path("/etc/wherry/cluster.yaml").write_text("nodeName: [\n")
    assert "/etc/wherry/cluster.yaml" in refused(host, clean=False)
    assert "/etc/wherry/cluster.yaml" in refused(host, "status", clean=False)
    host.wherry("reset")


def test_a_broken_kubeconfig_is_written_anew_and_named_by_status(host: Host) -> None:
    host.wherry("up")
    host.node.path("/etc/wherry/admin.kubeconfig").write_text("clusters: nonsense\n")
    assert "kubeconfig" in refused(host, "status", clean=False)
    host.wherry("up")
    host.until("all is well", lambda: host.wherry("status", check=False).code == 0)


def test_flags_that_contradict_the_cluster(host: Host) -> None:
    host.wherry("up")
    assert "this cluster was made with one" in refused(host, "up", "--node-name", "two", clean=False)
    agent_is_well(host)


def test_two_at_once(host: Host) -> None:
    """The first loads images for as long as the other needs."""
    host.node.sh(
        "printf '#!/bin/sh\\nuntil [ -e /run/go-on ]; do sleep 0.1; done\\nexec /usr/bin/ctr \"$@\"\\n'"
        " > /usr/local/bin/ctr; chmod +x /usr/local/bin/ctr"
    )
    first = host.start(WHERRY, "up")
    host.until("it works", lambda: host.node.path("/etc/wherry/pki").exists())
    assert "another wherry up, down or reset is running" in refused(host, "reset", clean=False)
    host.node.sh("touch /run/go-on")
    assert first.wait(300) == 0
    agent_is_well(host)


def test_interrupted(host: Host) -> None:
    """In the middle: while images are loaded, which the first time takes for ever here."""
    host.node.sh(
        "printf '#!/bin/sh\\n[ -e /run/loading ] && exec /usr/bin/ctr \"$@\"\\ntouch /run/loading\\nexec sleep 1000\\n'"
        " > /usr/local/bin/ctr; chmod +x /usr/local/bin/ctr"
    )
    before = Snapshot.take(host.node)
    running = host.start(WHERRY, "up")
    host.until("it loads images", lambda: host.node.sh("test -e /run/loading; pgrep -x sleep").text)
    host.node.sh("kill -INT $(pgrep -f '^[^ ]*python -P -m cli up')")
    assert running.wait(120) == 130
    host.node.sh("rm /run/loading")
    found = host.leftovers(before)
    assert not found, found


def test_a_program_that_cannot_start(host: Host) -> None:
    """A containerd that ends at once: the end of its log is shown, everything is undone."""
    host.node.sh(
        "printf '#!/bin/sh\\n[ \"$1\" = --version ] && exec /usr/bin/containerd --version\\necho it is broken >&2\\nexit 1\\n'"
        " > /usr/local/bin/containerd; chmod +x /usr/local/bin/containerd"
    )
    before = Snapshot.take(host.node)
    done = host.wherry("up", check=False)
    assert done.code == 1
    assert "it is broken" in done.text
    assert "cannot start containerd: it ends again and again" in done.err.decode()
    assert not host.leftovers(before)


@pytest.mark.parametrize("network", ["loopback only", "no default route"])
def test_poor_networks(network: str) -> None:
    """A node runs all the same and says with which address; Services answer; reset leaves nothing."""
    with (
        Switch() as switch,
        Node("poor", switch if network == "no default route" else None, default_route=False) as node,
    ):
        host = Host(node, switch)
        before = Snapshot.take(node)
        said = host.wherry("up").text
        if network == "loopback only":
            assert "only the loopback interface, so it gets this one; other machines cannot reach this node" in said
        else:
            assert f"node address {node.address}: address of eth0; there is no default route" in said
        host.kubectl(f"create deployment web --image={DEMO}")
        host.kubectl("expose deployment web --port=80 --target-port=8080")
        host.until("the pod is ready", lambda: host.ready_pods("app=web"))
        address = host.get("service web")["spec"]["clusterIP"]
        name = host.ready_pods("app=web")[0]["metadata"]["name"]
        host.until("the service answers", lambda: host.curl(f"http://{address}/") == name)
        pod = host.ready_pods("app=web")[0]["status"]["podIP"]
        assert "gitVersion" in host.in_pod(pod, "curl -skS -m 50 https://10.96.0.1/version")
        node.run(["rm", "-rf", KUBECTL_CACHE])
        host.wherry("reset")
        found = host.leftovers(before)
        assert not found, found


def test_the_checkout_is_not_written_to() -> None:
    """Test hosts see it read-only, so that every test above shows it too."""
    with Node("ro") as node:
        assert node.run(["touch", f"{CHECKOUT}/x"], check=False).code != 0
