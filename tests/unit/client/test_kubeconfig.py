"""Kubeconfig files of all makes, and what is wrong with the others."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from client.kubeconfig import Access, KubeconfigError, in_cluster, load, render
from kit import documents


def a_config(**changes: Any) -> dict[str, Any]:
    config: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "preferences": {},
        "clusters": [{"name": "c", "cluster": {"server": "https://10.0.0.1:6443/"}}],
        "users": [{"name": "u", "user": {"token": "secret"}}],
        "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u", "namespace": "kube-system"}}],
        "current-context": "one",
    }
    return config | changes


def written(path: Path, config: Any) -> Path:
    file = path / "kubeconfig"
    file.write_text(config if isinstance(config, str) else documents.write(config))
    return file


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_token(tmp_path: Path) -> None:
    assert load(written(tmp_path, a_config())) == Access(
        "https://10.0.0.1:6443", token="secret", namespace="kube-system"
    )


def test_embedded_certificates_win_over_files(tmp_path: Path) -> None:
    cluster = {
        "server": "https://a",
        "certificate-authority-data": coded("CA"),
        "certificate-authority": "/none",
        "tls-server-name": "b",
    }
    user = {"client-certificate-data": coded("CERT"), "client-key-data": coded("KEY")}
    config = a_config(clusters=[{"name": "c", "cluster": cluster}], users=[{"name": "u", "user": user}])
    access = load(written(tmp_path, config))
    assert (access.ca, access.cert, access.key, access.server_name) == (b"CA", b"CERT", b"KEY", "b")


def test_files_are_found_beside_the_kubeconfig(tmp_path: Path) -> None:
    for name in ("ca", "cert", "key"):
        (tmp_path / name).write_text(name)
    cluster = {"server": "http://a", "certificate-authority": "ca", "insecure-skip-tls-verify": True}
    user = {"client-certificate": str(tmp_path / "cert"), "client-key": "key", "tokenFile": "token"}
    access = load(
        written(tmp_path, a_config(clusters=[{"name": "c", "cluster": cluster}], users=[{"name": "u", "user": user}]))
    )
    assert (access.ca, access.cert, access.key, access.verify) == (b"ca", b"cert", b"key", False)
    assert access.token_file == str(tmp_path / "token")


def test_another_context(tmp_path: Path) -> None:
    contexts = [{"name": "two", "context": {"cluster": "c", "user": ""}}]
    access = load(written(tmp_path, a_config(contexts=contexts)), "two")
    assert (access.token, access.namespace) == ("", "default")


def test_render_reads_back(tmp_path: Path) -> None:
    access = Access("https://a:1", ca=b"CA", cert=b"CERT", key=b"KEY", token="t", server_name="n")
    file = tmp_path / "k"
    file.write_text(render(access))
    assert load(file) == access


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("a: [", "cannot use kubeconfig .*: "),
        ("[]", "Expected `object`, got `array`"),
        ("", "it has no current-context"),
        (a_config(**{"current-context": ""}), "it has no current-context"),
        (a_config(**{"current-context": "x"}), "there is no context 'x'"),
        (a_config(clusters=[]), "there is no cluster 'c'"),
        (a_config(users=None), "there is no user 'u'"),
        (a_config(clusters=[{"name": "c", "cluster": {"server": "10.0.0.1"}}]), "no http or https server: '10.0.0.1'"),
        (a_config(clusters=[{"cluster": {}}]), "missing required field `name`"),
        (
            a_config(users=[{"name": "u", "user": {"client-key-data": coded("K")}}]),
            "needs both client-certificate and client-key",
        ),
        (
            a_config(users=[{"name": "u", "user": {"client-key-data": "!", "token": "t"}}]),
            "client-key-data is not base64",
        ),
        (a_config(users=[{"name": "u", "user": {"client-key": "none"}}]), "none: No such file"),
        (a_config(users=[{"name": "u", "user": {"exec": {"command": "x"}}}]), "use a certificate or a token"),
    ],
)
def test_bad(tmp_path: Path, config: Any, message: str) -> None:
    with pytest.raises(KubeconfigError, match=message) as caught:
        load(written(tmp_path, config))
    assert str(tmp_path / "kubeconfig") in str(caught.value) and "\n" not in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(KubeconfigError, match="cannot read kubeconfig .*/none: .*No such file"):
        load(tmp_path / "none")


def test_in_a_pod(tmp_path: Path) -> None:
    environment = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    with pytest.raises(KubeconfigError, match="this is not a pod .* give a kubeconfig"):
        in_cluster({}, tmp_path)
    with pytest.raises(KubeconfigError, match=r"cannot use the pod's service account: .*ca\.crt: No such file"):
        in_cluster(environment, tmp_path)
    (tmp_path / "ca.crt").write_bytes(b"CA")
    with pytest.raises(KubeconfigError, match="token: No such file"):
        in_cluster(environment, tmp_path)
    (tmp_path / "token").write_text("secret\n")
    token_file = str(tmp_path / "token")
    assert in_cluster(environment, tmp_path) == Access("https://[fd00::1]:443", b"CA", token_file=token_file)
    (tmp_path / "namespace").write_text("kube-system")
    found = in_cluster(environment | {"KUBERNETES_SERVICE_HOST": "10.96.0.1"}, tmp_path)
    assert (found.server, found.namespace) == ("https://10.96.0.1:443", "kube-system")
