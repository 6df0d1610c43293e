"""Second views: what is shown and taken back again is what was kept, and what v1 of autoscaling makes of each metric."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from api import codec, conversion, kinds
from api.conversion import autoscaling_v1
from tests.samples import GOOD
from tests.scenario.apiserver.apiserver_requests import good_object

V1, V2 = kinds.HORIZONTAL_POD_AUTOSCALER_V1, kinds.HORIZONTAL_POD_AUTOSCALER
NAMED = {"kind": "Ingress", "name": "front", "apiVersion": "networking.k8s.io/v1"}
SELECTOR = {"matchLabels": {"a": "b"}}

# A metric of v2, and of v1 beside it.
SPECS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        {
            "type": "Resource",
            "resource": {"name": "memory", "target": {"type": "Utilization", "averageUtilization": 9}},
        },
        {"type": "Resource", "resource": {"name": "memory", "targetAverageUtilization": 9}},
    ),
    (
        {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "AverageValue", "averageValue": "2"}}},
        {"type": "Resource", "resource": {"name": "cpu", "targetAverageValue": "2"}},
    ),
    (
        {
            "type": "ContainerResource",
            "containerResource": {
                "name": "cpu",
                "container": "c",
                "target": {"type": "Utilization", "averageUtilization": 5},
            },
        },
        {
            "type": "ContainerResource",
            "containerResource": {"name": "cpu", "container": "c", "targetAverageUtilization": 5},
        },
    ),
    (
        {
            "type": "Pods",
            "pods": {
                "metric": {"name": "m", "selector": SELECTOR},
                "target": {"type": "AverageValue", "averageValue": "1k"},
            },
        },
        {"type": "Pods", "pods": {"metricName": "m", "targetAverageValue": "1k", "selector": SELECTOR}},
    ),
    (
        {
            "type": "Object",
            "object": {"describedObject": NAMED, "metric": {"name": "m"}, "target": {"type": "Value", "value": "7"}},
        },
        {"type": "Object", "object": {"target": NAMED, "metricName": "m", "targetValue": "7"}},
    ),
    (
        {
            "type": "Object",
            "object": {
                "describedObject": NAMED,
                "metric": {"name": "m"},
                "target": {"type": "AverageValue", "averageValue": "7"},
            },
        },
        {"type": "Object", "object": {"target": NAMED, "metricName": "m", "targetValue": "0", "averageValue": "7"}},
    ),
    (
        {"type": "External", "external": {"metric": {"name": "q"}, "target": {"type": "Value", "value": "3"}}},
        {"type": "External", "external": {"metricName": "q", "targetValue": "3"}},
    ),
    (
        {
            "type": "External",
            "external": {"metric": {"name": "q"}, "target": {"type": "AverageValue", "averageValue": "3"}},
        },
        {"type": "External", "external": {"metricName": "q", "targetAverageValue": "3"}},
    ),
]
STATUSES: list[dict[str, Any]] = [
    {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 9, "averageValue": "90m"}}},
    {
        "type": "ContainerResource",
        "containerResource": {"name": "cpu", "container": "c", "current": {"averageValue": "1"}},
    },
    {"type": "Pods", "pods": {"metric": {"name": "m"}, "current": {"averageValue": "5"}}},
    {"type": "Object", "object": {"describedObject": NAMED, "metric": {"name": "m"}, "current": {"value": "5"}}},
    {"type": "External", "external": {"metric": {"name": "q"}, "current": {"value": "5", "averageValue": "1"}}},
]


def autoscaler(**parts: Any) -> Any:
    document = {"metadata": {"name": "s"}, "spec": {"scaleTargetRef": {"kind": "D", "name": "d"}, "maxReplicas": 3}}
    return codec.from_dict(V2, {**document, "spec": {**document["spec"], **parts.pop("spec", {})}, **parts})


@pytest.mark.parametrize(("new", "old"), SPECS)
def test_metrics(new, old):
    kept = autoscaler(spec={"metrics": [new]})
    shown = conversion.shown(V1, kept)
    assert msgspec.json.decode(shown.metadata.annotations[autoscaling_v1.METRICS]) == [old]
    assert shown.spec.target_cpu_utilization_percentage is None
    assert conversion.stored(V1, shown) == kept
    assert not kept.metadata.annotations  # it was not changed on the way


@pytest.mark.parametrize("status", STATUSES)
def test_what_is_measured(status):
    kept = autoscaler(
        spec={"metrics": [SPECS[0][0]]}, status={"currentMetrics": [status], "desiredReplicas": 1, "currentReplicas": 1}
    )
    assert conversion.stored(V1, conversion.shown(V1, kept)) == kept


def test_the_use_of_cpu_has_fields_of_its_own():
    cpu = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}}
    kept = autoscaler(spec={"metrics": [SPECS[0][0], cpu]}, status={"currentMetrics": [STATUSES[0]]})
    shown = conversion.shown(V1, kept)
    assert shown.spec.target_cpu_utilization_percentage == 60
    assert shown.status.current_cpu_utilization_percentage == 9
    assert conversion.stored(V1, shown) == kept


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", '{"a":1}', '[{"type":1}]', "[" * 100_000])
def test_annotations_that_nobody_can_read(text):
    shown = conversion.shown(V1, autoscaler())
    shown.metadata.annotations = dict.fromkeys(autoscaling_v1.CARRIED, text)
    kept = conversion.stored(V1, shown)
    assert kept.metadata.annotations == {}
    assert kept.spec.behavior is None
    assert [metric.resource.name for metric in kept.spec.metrics] == ["cpu"]


def test_behaviour_has_the_names_of_upstreams_structs():
    policy = {"type": "Pods", "value": 4, "periodSeconds": 15}
    rules = {"stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": [policy]}
    kept = autoscaler(spec={"behavior": {"scaleUp": rules}, "metrics": [SPECS[0][0]]})
    shown = conversion.shown(V1, kept)
    assert msgspec.json.decode(shown.metadata.annotations[autoscaling_v1.BEHAVIOR]) == {
        "ScaleUp": {
            "StabilizationWindowSeconds": 0,
            "SelectPolicy": "Max",
            "Policies": [{"Type": "Pods", "Value": 4, "PeriodSeconds": 15}],
        }
    }
    assert conversion.stored(V1, shown) == kept


@pytest.mark.parametrize("kind", kinds.VIEWS, ids=lambda kind: kind.resource)
def test_views_lose_nothing(kind):
    rng = random.Random(1)
    for _ in range(200):
        kept = codec.from_dict(kind.stored_as, good_object(rng, kind.stored_as, "default", "x"))
        once = conversion.stored(kind, conversion.shown(kind, kept))
        assert conversion.stored(kind, conversion.shown(kind, once)) == once
        assert conversion.show(kind, codec.encode(kept)) == codec.encode(conversion.shown(kind, kept))


def test_views_are_of_kinds_that_are_kept():
    for kind in kinds.SERVED:
        assert (kind.stored_as is not None) is (kind in kinds.VIEWS)
        assert kind.stored_as is None or kind.stored_as in kinds.ALL
        assert (kind in GOOD) is (kind in kinds.ALL)
