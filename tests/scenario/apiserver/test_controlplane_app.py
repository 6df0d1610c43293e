"""The whole control plane in one process, from its configuration file, as `wherry controlplane` runs it."""

import asyncio
import json
from pathlib import Path

import pytest
import yaml

from api import codec, kinds
from client.client import Client
from client.errors import NotFound
from client.http import HttpTransport
from client.kubeconfig import Access
from controlplane import app
from controlplane.apiserver.identity.claims import Asked, Bound, Ref
from controlplane.apiserver.identity.issuer import Issuer
from controlplane.apiserver.identity.signing import SigningKey
from controlplane.config import load
from kit import pki
from kit.config import ConfigError
from kit.http.client import HttpClient
from kit.http.tls import client_context
from kit.supervisor import Supervisor
from testbed.ports import free_port

WEB = {
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {
        "replicas": 3,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "app", "image": "app:1"}]},
        },
    },
}


def configuration(directory: Path, **changes: object) -> Path:
    ca = pki.make_ca("test")
    pairs = {
        "ca": ca,
        "serving": pki.issue(ca, "apiserver", dns=["localhost"], ips=["127.0.0.1"], server=True),
        "kubelet-client": pki.issue(ca, "kubelet-client", ["system:masters"], client=True),
        "admin": pki.issue(ca, "admin", ["system:masters"], client=True),
    }
    for name, pair in pairs.items():
        pair.save(directory / f"{name}.crt", directory / f"{name}.key")
    (directory / "sa.key").write_bytes(pki.make_key())
    document = {
        "dataDir": str(directory / "data"),
        "listen": [f"127.0.0.1:{free_port()}"],
        "advertiseAddress": "192.0.2.10",
        "pki": {
            "caCert": str(directory / "ca.crt"),
            "servingCert": str(directory / "serving.crt"),
            "servingKey": str(directory / "serving.key"),
            "kubeletClientCert": str(directory / "kubelet-client.crt"),
            "kubeletClientKey": str(directory / "kubelet-client.key"),
            "serviceAccountKey": str(directory / "sa.key"),
        },
        "podCidr": "10.244.0.0/16",
        "nodeCidrSize": 24,
        "serviceCidr": "10.96.0.0/12",
        "nodePortRange": "30000-32767",
    } | changes
    path = directory / "controlplane.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


async def until(check, seconds: float = 120.0):
    """Ask again until the answer is not false."""
    async with asyncio.timeout(seconds):
        while not (found := await check()):
            await asyncio.sleep(0.05)
        return found


async def test_a_deployment_becomes_pods_and_goes_with_them(tmp_path):
    config = load(configuration(tmp_path))
    async with Supervisor(signals=False) as supervisor:
        await app.run(config, supervisor)
        ca, cert, key = ((tmp_path / name).read_bytes() for name in ("ca.crt", "admin.crt", "admin.key"))
        client = Client(HttpTransport(Access(f"https://{config.listen[0]}", ca=ca, cert=cert, key=key)))
        await client.create(kinds.DEPLOYMENT, codec.from_dict(kinds.DEPLOYMENT, WEB))

        async def pods():
            found = await client.list(kinds.POD, "default", labels="app=web")
            return found if len(found) == 3 else None

        made = await until(pods)
        assert {pod.metadata.owner_references[0].kind for pod in made} == {"ReplicaSet"}
        await until(lambda: _found(client.get(kinds.SERVICE_ACCOUNT, "default", "default")))
        await client.delete(kinds.DEPLOYMENT, "web", "default", propagation="Background")

        async def nothing():
            left = [await client.list(kind, "default") for kind in (kinds.REPLICA_SET, kinds.POD)]
            return left == [[], []]

        await until(nothing)
        await client.close()
        supervisor.stop()
    assert supervisor.exit_status == 0
    assert not supervisor.abandoned


async def _found(asked):
    try:
        return await asked
    except NotFound:
        return None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"nodePortRange": "many"}, "field nodePortRange: 'many' is not FIRST-LAST, such as 30000-32767"),
        ({"nodePortRange": "5-1"}, "field nodePortRange"),
        ({"dataDri": "/x"}, "unknown field dataDri"),
        ({"serviceCidr": "10.96.0.0/33"}, "field serviceCidr"),
        ({"serviceCidr": "10.96.1.0/12"}, "field serviceCidr"),
        ({"advertiseAddress": "localhost"}, "field advertiseAddress"),
        ({"advertiseAddress": "127.0.0.1"}, "field advertiseAddress"),
        ({"listen": ["6443"]}, "field listen"),
        ({"listen": []}, "field listen"),
        ({"store": {"etcd": {"endpoints": []}}}, "field store: at least one endpoint is needed"),
        ({"store": {"etcd": {"endpoints": ["a:1"], "caCert": "/nowhere"}}}, "field store: there is no file /nowhere"),
        ({"store": {"etcd": {"endpoints": ["a:1"]}, "sqlite": "/x"}}, "field store: either sqlite or etcd"),
        ({"store": {"ectd": {}}}, "unknown field store.ectd (did you mean etcd?)"),
        (
            {"serviceAccountIssuer": "kubernetes"},
            "field serviceAccountIssuer: 'kubernetes' is not a URL https://HOST/PATH",
        ),
        ({"serviceAccountIssuer": "https://x/?a=b"}, "field serviceAccountIssuer"),
        ({"requestHeader": {"clientCa": "/nowhere"}}, "field requestHeader: cannot read /nowhere: No such file"),
        (
            {"requestHeader": {"clientCa": "/etc/hostname"}},
            "field requestHeader: cannot read /etc/hostname: cannot read a bundle",
        ),
        ({"requestHeader": {"clientCa": "/x", "groupHeaders": [" a"]}}, "a name is empty or has blanks around it"),
        ({"requestHeader": {"clientCa": "/x", "usernameHeaders": []}}, "usernameHeaders names no header"),
        ({"requestHeader": {}}, "field requestHeader.clientCa is missing"),
        ({"tokenAuthFile": "/nowhere"}, "field tokenAuthFile: cannot read /nowhere: No such file"),
    ],
)
def test_a_configuration_that_makes_no_sense(tmp_path, change, message):
    path = configuration(tmp_path, **change)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("key", "message"), [(None, "cannot read "), (b"nonsense", "cannot read the key that signs tokens")]
)
def test_a_key_that_cannot_sign(tmp_path, key, message):
    path = configuration(tmp_path)
    (tmp_path / "sa.key").unlink()
    if key is not None:
        (tmp_path / "sa.key").write_bytes(key)
    with pytest.raises(ConfigError, match=f"field pki.serviceAccountKey: .*{message}"):
        load(path)


@pytest.mark.parametrize(("key", "message"), [(None, "cannot read "), (b"nonsense", "cannot find a key")])
def test_a_key_that_checks_nothing(tmp_path, key, message):
    path = configuration(tmp_path)
    document = yaml.safe_load(path.read_text())
    document["pki"]["serviceAccountVerificationKeys"] = [str(tmp_path / "sa.key"), str(tmp_path / "old.pub")]
    path.write_text(yaml.safe_dump(document))
    if key is not None:
        (tmp_path / "old.pub").write_bytes(key)
    with pytest.raises(ConfigError, match=f"field pki.serviceAccountVerificationKeys: .*{message}"):
        load(path)


def test_an_authority_of_all_clients_makes_no_front_proxies_of_them(tmp_path):
    """Else whoever has any certificate of the cluster, a node say, could name himself an administrator."""
    proxies = {"clientCa": str(tmp_path / "front.crt")}
    path = configuration(tmp_path, requestHeader=proxies)
    ours = (tmp_path / "ca.crt").read_bytes()
    (tmp_path / "front.crt").write_bytes(pki.make_ca("front").cert + ours)
    with pytest.raises(ConfigError, match="field requestHeader: .* share an authority"):
        load(path)
    load(configuration(tmp_path, requestHeader=proxies | {"allowedNames": ["front-proxy"]}))
    (tmp_path / "front.crt").write_bytes(pki.make_ca("front").cert)
    load(path)


async def test_front_proxies_and_keys_of_before(tmp_path):
    """All of it by configuration: a proxy names the user, old tokens are good, and extension servers are told."""
    authority, old = pki.make_ca("front"), pki.make_key()
    (tmp_path / "front.crt").write_bytes(authority.cert)
    (tmp_path / "old.key").write_bytes(old)
    path = configuration(
        tmp_path, requestHeader={"clientCa": str(tmp_path / "front.crt"), "allowedNames": ["front-proxy"]}
    )
    document = yaml.safe_load(path.read_text())
    document["pki"]["serviceAccountVerificationKeys"] = [str(tmp_path / "old.key")]
    path.write_text(yaml.safe_dump(document))
    config = load(path)
    port = int(config.listen[0].rpartition(":")[2])
    ca = (tmp_path / "ca.crt").read_bytes()
    review = "/apis/authentication.k8s.io/v1/selfsubjectreviews"

    async def ask(pair, *headers):
        """Who one is; or the code of the refusal."""
        tls = client_context(ca, *(pair or (None, None)))
        client = HttpClient("127.0.0.1", port, tls)
        try:
            told = [("Content-Type", "application/json"), *headers]
            reply = await client.request("POST", review, body=b"{}", headers=told)
            document = json.loads(reply.body)
            return document["status"]["userInfo"] if reply.status == 201 else reply.status
        finally:
            await client.close()

    def shown(name, authority, *organizations):
        return pki.issue(authority, name, organizations, client=True)

    async with Supervisor(signals=False) as supervisor:
        await app.run(config, supervisor)
        cluster_ca = pki.load_pair(tmp_path / "ca.crt", tmp_path / "ca.key")
        jane = [("X-Remote-User", "jane"), ("X-Remote-Group", "devs"), ("X-Remote-Group", "ops"), ("X-Remote-Uid", "7")]
        proxy = shown("front-proxy", authority)
        found = await ask(proxy, *jane, ("X-Remote-Extra-Acme.com%2FKey", "v"))
        assert found == {
            "username": "jane",
            "uid": "7",
            "groups": ["devs", "ops", "system:authenticated"],
            "extra": {"acme.com/key": ["v"]},
        }
        assert await ask(proxy) == 401, "it is nobody itself"
        assert await ask(shown("someone", authority, "system:masters"), *jane) == 401
        assert await ask(shown("front-proxy", authority, "system:masters"), ("X-Remote-Group", "x")) == 401
        assert (await ask(shown("front-proxy", cluster_ca), *jane))["username"] == "front-proxy"
        assert await ask(None, *jane) == 403, "anonymous may not review himself"
        acting = await ask(
            proxy, ("X-Remote-User", "root"), ("X-Remote-Group", "system:masters"), ("Impersonate-User", "joe")
        )
        assert acting["username"] == "joe"

        cert, key = (tmp_path / name for name in ("admin.crt", "admin.key"))
        admin = Client(
            HttpTransport(Access(f"https://{config.listen[0]}", ca=ca, cert=cert.read_bytes(), key=key.read_bytes()))
        )
        account = await until(lambda: _found(admin.get(kinds.SERVICE_ACCOUNT, "default", "default")))
        issuer = Issuer(config.service_account_issuer, (config.service_account_issuer,), SigningKey(old))
        asked = Asked("default", Ref("default", account.metadata.uid), Bound(), issuer.audiences, 3600)
        token = issuer.issue(asked, "before", supervisor.clock.now())
        found = await ask(None, ("Authorization", f"Bearer {token}"))
        assert found["username"] == "system:serviceaccount:default:default"
        assert (await ask(proxy, ("Authorization", f"Bearer {token}")))["username"] == found["username"]

        told = await admin.get(kinds.CONFIG_MAP, "extension-apiserver-authentication", "kube-system")
        assert told.data["requestheader-client-ca-file"].encode() == authority.cert
        assert told.data["requestheader-allowed-names"] == '["front-proxy"]'
        assert told.data["client-ca-file"].encode() == ca
        await admin.close()
        supervisor.stop()


def test_tokens_of_a_file_are_read(tmp_path):
    (tmp_path / "tokens.csv").write_text('secret,jane,7,"devs"\n')
    assert load(configuration(tmp_path, tokenAuthFile=str(tmp_path / "tokens.csv"))).token_auth_file
    (tmp_path / "tokens.csv").write_text("secret,jane\n")
    with pytest.raises(ConfigError, match="at least 3 columns"):
        load(configuration(tmp_path, tokenAuthFile=str(tmp_path / "tokens.csv")))
