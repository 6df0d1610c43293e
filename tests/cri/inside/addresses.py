"""Scenes: a node that has no address left."""

import asyncio
import json
from contextlib import closing
from pathlib import Path

from api import kinds
from cni import config
from cni.conflist import FILE
from cni.errors import NO_ADDRESS, CniError
from cni.ipam import Owner, Store
from tests.cri.stage import Stage, make_pod, shell

TOLD = 'plugin type="wherry-cni" failed (add): no addresses left in 10.244.7.1-10.244.7.254 of network wherry'


async def no_address_left(stage: Stage) -> None:
    """The pod waits, its event says what there is none of and where, and it starts when another one has gone."""

    async def alone() -> bool:
        return not any(one.pod.uid for one in await stage.runtime.sandboxes())

    await stage.until_async(alone, "pods of scenes before are gone: nobody gives back an address")
    try:
        await asyncio.to_thread(_take_all, stage)
        await stage.create(make_pod("late", shell("a", "sleep 1000")))
        await stage.until(lambda: _told(stage), "users are told")
        shown = stage.pod("late")
        assert shown is not None and shown.status.phase == "Pending"
    finally:
        await asyncio.to_thread(_give_back, stage)
    await stage.phase("late", "Running")
    await stage.delete("late")


def _told(stage: Stage) -> bool:
    found = [e for e in stage.api.objects(kinds.EVENT) if e.reason == "FailedCreatePodSandBox"]
    return any(e.involved_object.name == "late" and e.type == "Warning" and TOLD in (e.message or "") for e in found)


def _take_all(stage: Stage) -> None:
    written = json.loads(Path(stage.config.cni.conf_dir, FILE).read_text())
    wanted = {**written["plugins"][0], "name": written["name"], "cniVersion": written["cniVersion"]}
    network = config.parse(wanted, needs_ranges=True)
    with closing(Store(stage.config.cni.data_dir)) as store:
        try:
            for number in range(1000):
                store.reserve(Owner(network.name, f"filler-{number}", "eth0"), "/none", f"wvfiller{number}", network)
        except CniError as error:
            assert error.code == NO_ADDRESS


def _give_back(stage: Stage) -> None:
    with closing(Store(stage.config.cni.data_dir)) as store, store.writing():
        for held in store.state().attachments:
            if held.owner.container.startswith("filler-"):
                store.release(held.owner)
