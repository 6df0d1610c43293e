"""What kinds set and keep by themselves between request and store, as upstream's strategies do."""

from typing import Any

import pytest

from api import kinds
from controlplane.apiserver.strategies import strategy
from tests import samples

Change = dict[str, Any]
NOW = "2026-01-01T00:00:00Z"
COUNT = "deprecated.daemonset.template.generation"
ROLLING = "spec/updateStrategy/rollingUpdate"
CONFIG = {"configMap": {"namespace": "n", "name": "c", "kubeletConfigKey": "k"}}
STEERED = {"spec/strategy": "OldestEmulationVersion", "spec/preferredHolder": "me"}


def build(kind: kinds.Kind[Any], change: Change) -> Any:
    return samples.changed(kind, change, separator="/")


def at(obj: Any, path: str) -> Any:
    for step in path.split("."):
        obj = obj.get(step) if isinstance(obj, dict) else getattr(obj, step)
    return obj


@pytest.mark.parametrize(
    ("kind", "change", "path", "value"),
    [
        (kinds.LEASE, STEERED, "spec.strategy", None),
        (kinds.LEASE, STEERED, "spec.preferred_holder", None),
        (kinds.NODE, {"spec/configSource": CONFIG}, "spec.config_source", None),
        (kinds.NODE, {"status/config": {"error": "x"}}, "status.config", None),
        (kinds.NODE, {"status/phase": "Running"}, "status.phase", "Running"),
        (
            kinds.STATEFUL_SET,
            {ROLLING: {"maxUnavailable": 2}},
            "spec.update_strategy.rolling_update.max_unavailable",
            None,
        ),
        (
            kinds.JOB,
            {"spec/manualSelector": None, "spec/selector": None},
            "metadata.labels",
            {
                "a": "b",
                "batch.kubernetes.io/controller-uid": None,
                "batch.kubernetes.io/job-name": "x",
                "controller-uid": None,
                "job-name": "x",
            },
        ),
        (
            kinds.JOB,
            {"spec/manualSelector": None, "spec/selector": None, "metadata/labels": {"mine": "yes"}},
            "metadata.labels",
            {"mine": "yes"},
        ),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_new_object(kind: kinds.Kind[Any], change: Change, path: str, value: Any) -> None:
    new = build(kind, change)
    new.metadata.labels = dict(new.metadata.labels) if "metadata/labels" in change else new.metadata.labels
    strategy(kind).prepare_create(new)
    assert at(new, path) == value


@pytest.mark.parametrize(
    ("kind", "old", "new", "path", "value"),
    [
        (kinds.LEASE, {}, STEERED, "spec.strategy", None),
        (kinds.LEASE, STEERED, STEERED, "spec.preferred_holder", "me"),
        (kinds.NODE, {}, {"spec/configSource": CONFIG}, "spec.config_source", None),
        (kinds.NODE, {"status/phase": "Running"}, {}, "status.phase", "Running"),
        (
            kinds.STATEFUL_SET,
            {},
            {ROLLING: {"maxUnavailable": 2}},
            "spec.update_strategy.rolling_update.max_unavailable",
            None,
        ),
        (
            kinds.STATEFUL_SET,
            {ROLLING: {"maxUnavailable": 1}},
            {ROLLING: {"maxUnavailable": 2}},
            "spec.update_strategy.rolling_update.max_unavailable",
            2,
        ),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_changed_object(kind: kinds.Kind[Any], old: Change, new: Change, path: str, value: Any) -> None:
    changed = build(kind, new)
    strategy(kind).prepare_update(changed, build(kind, old))
    assert at(changed, path) == value


@pytest.mark.parametrize(
    ("kind", "old", "new", "path", "value"),
    [
        (kinds.DAEMON_SET, {"metadata/annotations": {COUNT: "3"}}, {}, "metadata.annotations", {COUNT: "3"}),
        (kinds.API_SERVICE, {}, {"metadata/labels": {"a": "b"}}, "metadata.labels", {}),
        (kinds.DEPLOYMENT, {}, {"spec/replicas": 7}, "spec.replicas", 1),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_changed_status(kind: kinds.Kind[Any], old: Change, new: Change, path: str, value: Any) -> None:
    changed = build(kind, new)
    strategy(kind).prepare_status(changed, build(kind, old), NOW)
    assert at(changed, path) == value
