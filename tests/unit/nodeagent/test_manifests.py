"""Manifests become static pods, or are refused with file and line."""

import os
from pathlib import Path

import pytest

from api.core_v1 import Pod
from kit.clock import FakeClock
from kit.document_lines import line_of
from nodeagent.sources.directory import ManifestDirectory
from nodeagent.sources.manifests import read_manifest
from nodeagent.sources.mirrors import Step, make_mirror, plan_mirror
from nodeagent.sources.problems import BadManifest
from nodeagent.sources.static import StaticPods

GOOD = """\
apiVersion: v1
kind: Pod
metadata:
  name: web
spec:
  containers:
  - name: a
    image: x:1
"""


def pods(text: str, path: str = "/m/web.yaml", node: str = "n1") -> list[Pod]:
    return read_manifest(path, text.encode(), node)


def test_what_a_static_pod_is() -> None:
    [pod] = pods(GOOD)
    meta = pod.metadata
    assert (meta.name, meta.namespace, pod.spec.node_name) == ("web-n1", "default", "n1")
    assert meta.annotations["kubernetes.io/config.hash"] == meta.uid and len(meta.uid or "") == 32
    assert [(t.operator, t.effect) for t in pod.spec.tolerations] == [("Exists", "NoExecute")]
    assert pod.spec.restart_policy == "Always" and pod.status.phase == "Pending"


def test_its_uid_follows_what_it_is_and_where() -> None:
    [first], [same] = pods(GOOD), pods("# a comment\n" + GOOD.replace("kind: Pod\n", "") + "kind: Pod\n")
    assert first.metadata.uid == same.metadata.uid
    others = (pods(GOOD, "/m/b.yaml"), pods(GOOD, node="n2"), pods(GOOD.replace("x:1", "x:2")))
    assert len({first.metadata.uid, *(found[0].metadata.uid for found in others)}) == 4
    assert pods(GOOD.replace("name: web", "name: web\n  uid: mine"))[0].metadata.uid == "mine"


def test_several_in_one_file() -> None:
    assert [p.metadata.name for p in pods(GOOD + "---\n" + GOOD.replace("web", "b") + "---\n")] == ["web-n1", "b-n1"]
    body = "\n".join("    " + line for line in GOOD.splitlines()[2:])
    listed = pods("apiVersion: v1\nkind: PodList\nitems:\n  -\n" + body + "\n")
    assert [p.metadata.name for p in listed] == ["web-n1"]
    assert pods("") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [\n", "cannot read /m/web.yaml, line 2: "),
        ("[1, 2]", "cannot use /m/web.yaml, line 1: a Pod is expected, and this is no object"),
        (GOOD.replace("kind: Pod", "kind: Service"), "line 1: a Pod of v1 is expected, not Service of v1"),
        (GOOD.replace("  name: web", "  labels: {}"), "line 3: invalid pod: name is needed for the pod"),
        (
            GOOD.replace("  name: web", "  name: web\n  uid: ../../x"),
            "line 5: invalid pod: the uid '../../x' must not be a path",
        ),
        (GOOD.replace("x:1", "[1]"), "line 8: cannot decode Pod: spec.containers[0].image"),
        (GOOD.replace("name: a", "name: A_"), "line 7: invalid pod: spec.containers[0].name: "),
        (GOOD + "---\n" + GOOD.replace("    image: x:1\n", ""), "line 16: invalid pod: spec.containers[0].image: Req"),
        (GOOD + "  serviceAccountName: x\n", "line 9: static pods may not reference serviceaccounts"),
        (GOOD + "  imagePullSecrets: [{name: x}]\n", "line 9: static pods may not reference secrets"),
        (GOOD + "    envFrom: [{configMapRef: {name: x}}]\n", "static pods may not reference configmaps"),
        (
            GOOD + "  volumes:\n  - name: v\n    secret: {secretName: s}\n",
            "line 10: static pods may not reference secr",
        ),
        (GOOD + "  volumes:\n  - name: v\n    configMap: {name: s}\n", "configmaps (via configmap volumes)"),
        (GOOD + "  volumes:\n  - {name: v, persistentVolumeClaim: {claimName: s}}\n", "persistentvolumeclaims"),
        (
            GOOD + "  volumes:\n  - name: v\n    projected: {sources: [{configMap: {name: t}}]}\n",
            "line 11: static pods may not reference configmaps (via projected volumes)",
        ),
    ],
)
def test_what_is_refused(text: str, expected: str) -> None:
    with pytest.raises(BadManifest) as caught:
        pods(text)
    assert expected in str(caught.value), str(caught.value)


@pytest.mark.parametrize(
    ("path", "line"),
    [("", 1), ("kind", 2), ("spec.containers", 6), ("spec.containers[0].image", 8), ("spec.none.deep", 5), ("x", 1)],
)
def test_lines_of_fields(path: str, line: int) -> None:
    assert line_of(GOOD, 0, path) == line
    assert line_of("# one\n---\n" + GOOD, 0, path) == line + 2


def test_what_a_mirror_needs() -> None:
    [static] = pods(GOOD)
    [other] = pods(GOOD.replace("x:1", "x:2"))
    mirror = make_mirror(static, "n1", "u")
    ending = make_mirror(static, "n1", "u")
    ending.metadata.deletion_timestamp = "2026-01-01T00:00:00Z"
    assert mirror.metadata.uid is None and static.metadata.uid
    assert plan_mirror(None, None) is plan_mirror(static, mirror) is Step.NOTHING
    assert plan_mirror(static, None) is Step.CREATE
    assert plan_mirror(None, mirror) is plan_mirror(other, mirror) is plan_mirror(static, ending) is Step.DELETE


def test_each_problem_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.yaml").write_text(GOOD)
    directory = ManifestDirectory(str(tmp_path), "n1", FakeClock(), lambda pods: None)
    for _ in range(3):
        directory.read()
    assert capsys.readouterr().err.count("another manifest has one of that name") == 2
    (tmp_path / "c.yaml").unlink()
    directory.read()
    (tmp_path / "c.yaml").write_text(GOOD)
    directory.read()
    assert capsys.readouterr().err.count("another manifest has one of that name") == 1, "it is wrong again"


def test_a_directory_is_read_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / ".hidden").write_text(GOOD.replace("web", "hidden"))
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "x.yaml").write_text(GOOD)
    (tmp_path / "a.yaml").write_text(GOOD)
    (tmp_path / "b.yaml").write_text(GOOD.replace("x:1", "x:2"))  # the same name once more
    (tmp_path / "c.yaml").write_bytes(b"\xff\xfe")
    os.mkfifo(tmp_path / "d.yaml")  # nobody will ever write to it
    directory = ManifestDirectory(str(tmp_path), "n1", FakeClock(), lambda pods: None)
    [pod] = directory.read()
    assert pod.spec.containers[0].image == "x:1"
    (tmp_path / "a.yaml").write_text("broken: [")
    [kept] = directory.read()
    assert kept.metadata.uid == pod.metadata.uid
    (tmp_path / "a.yaml").unlink()
    [other] = directory.read()
    assert other.spec.containers[0].image == "x:2"


def test_a_copied_manifest_with_the_same_uid_is_no_second_pod(tmp_path: Path) -> None:
    named = GOOD.replace("  name: web", "  name: web\n  uid: u1")
    (tmp_path / "a.yaml").write_text(named)
    (tmp_path / "b.yaml").write_text(named.replace("name: web", "name: copy"))
    directory = ManifestDirectory(str(tmp_path), "n1", FakeClock(), lambda pods: None)
    assert [pod.metadata.name for pod in directory.read()] == ["web-n1"]


class Sink:
    """Workers that do not run."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def apply(self, key: str, old: Pod | None, new: Pod | None) -> None:
        def uid(pod: Pod | None) -> str:
            return (pod.metadata.uid or "") if pod is not None else ""

        self.told.append((uid(old), uid(new)))


def test_an_old_version_ends_before_the_new_one_starts() -> None:
    sink, shown = Sink(), []
    static = StaticPods(sink, FakeClock(), lambda key, pod: shown.append(pod.metadata.uid if pod else None))
    [one], [two], [three] = (pods(GOOD.replace("x:1", image)) for image in ("x:1", "x:2", "x:3"))
    first, second, third = (pod.metadata.uid or "" for pod in (one, two, three))
    static.update([one])
    static.update([two])
    static.update([three])
    static.update([three])
    assert sink.told == [("", first), (first, "")]
    static.forgotten(second)
    static.forgotten(first)
    assert sink.told[2:] == [("", third)] and shown == [first, None, third]
    static.update([])
    static.update([three])  # put back while it ends: it ends all the same, and starts again
    static.forgotten(third)
    assert sink.told[3:] == [(third, ""), ("", third)]
    static.update([])
    static.forgotten(third)
    assert sink.told[5:] == [(third, "")] and shown[-1] is None


def test_a_uid_of_its_own_means_the_same_pod() -> None:
    sink = Sink()
    static = StaticPods(sink, FakeClock(), lambda key, pod: None)
    mine = GOOD.replace("name: web", "name: web\n  uid: mine")
    static.update(pods(mine))
    static.update(pods(mine))
    static.update(pods(mine.replace("x:1", "x:2")))
    assert sink.told == [("", "mine"), ("mine", "mine")]
