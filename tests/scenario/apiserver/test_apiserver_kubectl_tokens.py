"""The real kubectls as a service account: the token, what it may do, and how it is told that it may not."""

import asyncio
import json
import os
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from api import kinds
from api.core_v1 import ServiceAccount
from api.meta_v1 import ObjectMeta
from tests import kubectls
from tests.scenario.apiserver.conftest import Cluster
from tests.scenario.apiserver.test_apiserver_identity import Caller

NS = "default"
ROBOT = "system:serviceaccount:default:robot"
Run = Callable[..., Awaitable[tuple[int, str]]]


@pytest.fixture(params=kubectls.found(), ids=lambda place: place.rpartition("/")[2])
def program(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return kubectls.program(request.param, tmp_path)


@pytest.fixture
async def robot(secure: Cluster, program: str, tmp_path: Path) -> Run:
    """Run kubectl with a token of the account robot, or as administrator."""
    admin = secure.server.client("admin", "system:masters")
    await admin.create(kinds.SERVICE_ACCOUNT, ServiceAccount(metadata=ObjectMeta(name="robot", namespace=NS)))
    of_admin = secure.kubeconfig()
    document = json.loads(of_admin.read_text())
    document["users"][0]["user"] = {"token": await Caller(secure).token()}
    of_robot = tmp_path / "robot.kubeconfig"
    of_robot.write_text(json.dumps(document))

    async def run(command: str, *, admin: bool = False) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            program,
            *command.split(),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "HOME": str(tmp_path), "KUBECONFIG": str(of_admin if admin else of_robot)},
        )
        output, _ = await asyncio.wait_for(process.communicate(), 180)
        assert process.returncode is not None
        return process.returncode, output.decode()

    return run


async def test_a_service_account_may_what_its_roles_say(robot: Run):
    assert await robot("auth can-i list pods") == (1, "no\n")
    code, output = await robot("get pods")
    message = (
        f'pods is forbidden: User "{ROBOT}" cannot list resource "pods" in API group "" in the namespace "default"'
    )
    assert (code, output) == (1, f"Error from server (Forbidden): {message}\n")
    await robot("create role reader --verb=get,list,watch --resource=pods,configmaps", admin=True)
    await robot("create rolebinding readers --role=reader --serviceaccount=default:robot", admin=True)
    assert (await robot("get pods"))[0] == 0
    assert await robot("auth can-i list pods") == (0, "yes\n")
    assert await robot("auth can-i delete pods") == (1, "no\n")
    assert await robot("auth can-i list pods -n kube-system") == (1, "no\n")
    code, output = await robot("auth can-i --list")
    assert code == 0
    assert re.search(r"^pods +\[\] +\[\] +\[get list watch\]$", output, re.MULTILINE), output
    assert "[/openid/v1/jwks]" in output
    code, output = await robot("create configmap c")
    assert code == 1
    assert 'cannot create resource "configmaps"' in output
    code, output = await robot("create role more --verb=delete --resource=pods")
    assert 'cannot create resource "roles"' in output


async def test_acting_as_a_service_account(robot: Run):
    await robot("create clusterrolebinding b --clusterrole=view --serviceaccount=default:robot", admin=True)
    assert await robot(f"auth can-i list pods -A --as={ROBOT}", admin=True) == (0, "yes\n")
    assert await robot(f"auth can-i list secrets --as={ROBOT}", admin=True) == (1, "no\n")
    assert (await robot("auth can-i list secrets --as=ann --as-group=system:masters", admin=True))[0] == 0
    code, output = await robot("get pods --as=ann")
    assert (code, f'User "{ROBOT}" cannot impersonate' in output) == (1, True), output


async def test_a_token_by_kubectl(robot: Run, program: str, tmp_path: Path):
    code, token = await robot("create token robot --duration=20m", admin=True)
    if kubectls.version(program) < (1, 27):  # `create token` came with 1.24, `auth whoami` later
        assert code or token.count(".") == 2, token
        return
    code, output = await robot(f"auth whoami --token={token.strip()}")
    assert code == 0, output
    assert re.search(rf"^Username +{ROBOT}$", output, re.MULTILINE)
    assert re.search(r"^Extra: authentication.kubernetes.io/credential-id +\[JTI=", output, re.MULTILINE)
    await robot("delete serviceaccount robot", admin=True)
    code, output = await robot("get pods")
    assert (code, output) == (1, "error: You must be logged in to the server (Unauthorized)\n")
