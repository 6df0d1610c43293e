"""How long what pods refer to is watched."""

import pytest

from api import kinds
from api.core_v1 import ConfigMap, Pod
from api.meta_v1 import ObjectMeta
from client.client import Client
from client.fake import FakeTransport
from kit.clock import FakeClock, settle
from nodeagent.model.spec import ROOT_CA
from nodeagent.sources.objects import LINGER, Objects

AUTHORITY, OTHER = ("ConfigMap", ROOT_CA), ("ConfigMap", "other")
REFERENCES = {AUTHORITY, OTHER}


def pod(name: str) -> Pod:
    return Pod(metadata=ObjectMeta(name=name, namespace="default", uid=name))


def watched(objects: Objects) -> set[str]:
    return {name for kind, name in REFERENCES if objects.watches((kind, "default", name))}


@pytest.fixture
async def client() -> Client:
    made = Client(FakeTransport())
    for name in (ROOT_CA, "other"):
        await made.create(kinds.CONFIG_MAP, ConfigMap(metadata=ObjectMeta(name=name, namespace="default")))
    return made


async def test_the_next_pod_finds_the_certificates_there(client: Client) -> None:
    clock = FakeClock()
    objects = Objects(client, clock, lambda uid: None)
    first, second = pod("first"), pod("second")
    objects.hold(first, REFERENCES)
    assert set((await objects.sources(first, REFERENCES)).config_maps) == {ROOT_CA, "other"}
    objects.release("first")
    assert watched(objects) == {ROOT_CA}, "nobody wants the other one any more"
    await clock.advance(LINGER / 2)
    objects.hold(second, {AUTHORITY})
    await clock.advance(LINGER)
    assert watched(objects) == {ROOT_CA}, "it is in use again"
    objects.release("second")
    objects.release("nobody")
    await clock.advance(LINGER)
    assert watched(objects) == set()
    await objects.close()
    await settle()


async def test_what_a_pod_has_asked_for_is_watched_though_who_asked_before_has_gone(client: Client) -> None:
    objects = Objects(client, FakeClock(), lambda uid: None)
    objects.hold(pod("first"), {OTHER})
    assert set((await objects.sources(pod("second"), {OTHER})).config_maps) == {"other"}
    objects.release("first")
    assert watched(objects) == {"other"}
    objects.release("second")
    assert watched(objects) == set()
    await objects.close()
    await settle()
