"""Deployments from beginning to end, with the real controllers and scheduler on the fake API server."""

from __future__ import annotations

import pytest

from api import kinds
from client import errors
from tests.scenario.controllers.cluster import NS, Cluster, revision


async def test_a_deployment_runs() -> None:
    async with Cluster() as c:
        c.node("n1")
        await c.start()
        await c.deploy(replicas=3)
        await c.until(c.rolled_out)
        assert len(c.pods()) == 3
        rs = c.sets()[0]
        assert revision(rs) == "1" == c.deployment().metadata.annotations["deployment.kubernetes.io/revision"]
        assert rs.metadata.name.startswith("web-")
        assert rs.spec.selector.match_labels == {
            "app": "web",
            "pod-template-hash": rs.metadata.labels["pod-template-hash"],
        }
        assert all(p.metadata.generate_name == f"{rs.metadata.name}-" for p in c.pods())
        await c.run(1)
        assert c.condition("Available") == ("True", "MinimumReplicasAvailable")
        assert c.condition("Progressing") == ("True", "NewReplicaSetAvailable")
        assert c.messages("ScalingReplicaSet") == [f"Scaled up replica set {rs.metadata.name} from 0 to 3"]
        assert len(c.messages("SuccessfulCreate")) == 3
        assert sorted(c.messages("Scheduled")) == sorted(
            f"Successfully assigned default/{p.metadata.name} to n1" for p in c.pods()
        )


async def test_it_rolls_out_a_new_template_and_back() -> None:
    async with Cluster() as c:
        c.node("n1")
        await c.start()
        await c.deploy(replicas=4)
        await c.until(c.rolled_out)
        first = c.sets()[0].metadata.name
        await c.set_image("web:2")
        await c.until(c.rolled_out)
        assert [(revision(rs), rs.spec.replicas) for rs in c.sets()] == [("1", 0), ("2", 4)]
        assert {p.spec.containers[0].image for p in c.pods()} == {"web:2"}
        await c.set_image("web:1")
        await c.until(c.rolled_out)
        assert [(revision(rs), rs.spec.replicas) for rs in c.sets()] == [("2", 0), ("3", 4)]
        back = c.sets()[1]
        assert back.metadata.name == first
        assert back.metadata.annotations["deployment.kubernetes.io/revision-history"] == "1"
        assert c.deployment().metadata.annotations["deployment.kubernetes.io/revision"] == "3"


async def test_scaling_up_and_down() -> None:
    async with Cluster() as c:
        c.node("n1")
        await c.start()
        await c.deploy(replicas=2)
        await c.until(c.rolled_out)
        for size in (5, 1, 0, 3):
            await c.change(replicas=size)
            await c.until(c.rolled_out)
            assert len(c.pods()) == size
        assert len(c.sets()) == 1
        annotations = c.sets()[0].metadata.annotations
        assert annotations["deployment.kubernetes.io/desired-replicas"] == "3"
        assert annotations["deployment.kubernetes.io/max-replicas"] == "4"


async def test_pods_that_disappear_are_replaced() -> None:
    async with Cluster() as c:
        c.node("n1")
        await c.start()
        await c.deploy(replicas=3)
        await c.until(c.rolled_out)
        gone = c.pods()[0].metadata.name
        await c.client.delete(kinds.POD, gone, NS)
        await c.until(lambda: len(c.pods()) == 3 and c.rolled_out())
        assert gone not in {p.metadata.name for p in c.pods()}


async def test_recreate_never_mixes_templates() -> None:
    async with Cluster() as c:
        c.node("n1")
        await c.start()
        await c.deploy(replicas=3, strategy={"type": "Recreate"})
        await c.until(c.rolled_out)
        await c.set_image("web:2")
        images: list[set[str]] = []

        def done() -> bool:
            images.append({p.spec.containers[0].image or "" for p in c.pods(alive=False)})
            return c.rolled_out()

        await c.until(done)
        assert all(len(seen) <= 1 for seen in images)
        assert images[-1] == {"web:2"}


async def test_a_stuck_rollout_keeps_the_old_pods_and_says_so() -> None:
    async with Cluster() as c:
        c.node("n1")
        await c.start()
        await c.deploy(replicas=4, progressDeadlineSeconds=30)
        await c.until(c.rolled_out)
        c.startable = lambda pod: pod.spec.containers[0].image != "web:bad"
        await c.set_image("web:bad")
        await c.until(lambda: c.condition("Progressing") == ("False", "ProgressDeadlineExceeded"))
        old = [p for p in c.pods() if p.spec.containers[0].image == "web:1"]
        assert len(old) == 3  # 25% of 4 may be unavailable
        assert c.condition("Available")[0] == "True"
        await c.set_image("web:1")
        await c.until(c.rolled_out)
        await c.run(2)
        assert c.condition("Progressing") == ("True", "NewReplicaSetAvailable")


async def test_scaling_in_the_middle_of_a_rollout_is_proportional() -> None:
    async with Cluster() as c:
        c.node("n1")
        await c.start()
        strategy = {"rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}}
        await c.deploy(replicas=10, strategy=strategy)
        await c.until(c.rolled_out)
        c.startable = lambda pod: pod.spec.containers[0].image != "web:bad"
        await c.set_image("web:bad")
        await c.run(5)
        assert [rs.spec.replicas for rs in c.sets()] == [8, 5]
        await c.change(replicas=30)
        await c.run(5)
        assert [rs.spec.replicas for rs in c.sets()] == [20, 13]


async def test_a_pause_stops_rollouts_but_not_scaling() -> None:
    async with Cluster() as c:
        c.node("n1")
        await c.start()
        await c.deploy(replicas=2)
        await c.until(c.rolled_out)
        await c.change(paused=True)
        await c.set_image("web:2")
        await c.run(3)
        assert len(c.sets()) == 1
        assert c.condition("Progressing") == ("Unknown", "DeploymentPaused")
        await c.change(replicas=4)
        await c.until(lambda: len(c.pods()) == 4)
        await c.change(paused=False)
        await c.until(c.rolled_out)
        assert {p.spec.containers[0].image for p in c.pods()} == {"web:2"}


async def test_history_is_kept_up_to_its_limit() -> None:
    async with Cluster() as c:
        c.node("n1")
        await c.start()
        await c.deploy(replicas=1, revisionHistoryLimit=2)
        await c.until(c.rolled_out)
        for n in range(2, 7):
            await c.set_image(f"web:{n}")
            await c.until(c.rolled_out)
        await c.run(2)
        assert [revision(rs) for rs in c.sets()] == ["4", "5", "6"]


async def test_a_name_that_is_taken_leads_to_another_hash() -> None:
    async with Cluster() as c:
        c.node("n1")
        await c.start()
        await c.deploy(replicas=1)
        await c.until(c.rolled_out)
        taken = c.sets()[0]
        await c.stop()
        await c.client.delete(kinds.DEPLOYMENT, "web", NS)
        taken.metadata.owner_references = []
        taken.metadata.labels = {"another": "story"}
        c.server.put(kinds.REPLICA_SET, taken)
        await c.start()
        await c.deploy(replicas=1)
        await c.until(c.rolled_out)
        assert c.deployment().status.collision_count == 1
        assert len({rs.metadata.name for rs in c.sets()}) == 2


async def test_replica_sets_adopt_and_release() -> None:
    async with Cluster() as c:
        c.node("n1")
        await c.start()
        await c.deploy(replicas=3)
        await c.until(c.rolled_out)
        rs, lost = c.sets()[0], c.pods()[0].metadata.name
        await c.client.patch(kinds.POD, lost, {"metadata": {"labels": {"app": "debug"}}}, NS, type="merge")
        await c.until(lambda: len(c.pods()) == 4 and c.rolled_out())
        released = await c.client.get(kinds.POD, lost, NS)
        assert released.metadata.owner_references == []
        await c.client.patch(kinds.POD, lost, {"metadata": {"labels": {"app": "web"}}}, NS, type="merge")
        await c.until(lambda: len(c.pods()) == 3)
        assert all(p.metadata.owner_references[0].uid == rs.metadata.uid for p in c.pods())


async def test_a_refused_pod_is_one_request_at_a_time_and_is_said() -> None:
    async with Cluster() as c:
        c.node("n1")
        c.server.faults.fail(errors.make(403, "exceeded quota"), verb="create", plural="pods", times=3)
        await c.start()
        await c.deploy(replicas=10)
        await c.until(lambda: c.messages("FailedCreate"))
        assert c.messages("FailedCreate") == ["Error creating: exceeded quota"]
        await c.until(c.rolled_out)
        assert c.sets()[0].status.conditions == []


async def test_restart_in_mid_rollout() -> None:
    async with Cluster() as c:
        c.node("n1")
        await c.start()
        await c.deploy(replicas=6)
        await c.until(c.rolled_out)
        await c.set_image("web:2")
        for _ in range(6):
            await c.run(0.25)
            await c.stop()
            await c.start()
        await c.until(c.rolled_out)
        assert len(c.pods()) == 6


@pytest.mark.parametrize("seconds", [10])
async def test_min_ready_seconds_delay_availability(seconds: int) -> None:
    async with Cluster() as c:
        c.node("n1")
        await c.start()
        await c.deploy(replicas=2, minReadySeconds=seconds)
        await c.until(lambda: (c.deployment().status.ready_replicas or 0) == 2)
        assert not c.deployment().status.available_replicas
        await c.run(seconds - 3)
        assert not c.deployment().status.available_replicas
        await c.until(c.rolled_out, 10)
