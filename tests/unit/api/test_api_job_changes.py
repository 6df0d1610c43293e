"""How Jobs go on and end: each row is an answer of an upstream server."""

from typing import Any

import pytest

from api import kinds, validation
from tests.causes import DUPLICATE, INVALID, REQUIRED, Change, Expected, build, told

NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z"
INDEXED = {"spec/completionMode": "Indexed", "spec/completions": 3, "spec/backoffLimitPerIndex": 1}
DONE = [{"type": "Complete", "status": "True"}, {"type": "SuccessCriteriaMet", "status": "True"}]
FAILED = [{"type": "Failed", "status": "True"}, {"type": "FailureTarget", "status": "True"}]


UPDATE: list[tuple[kinds.Kind[Any], str, Change, Change, Expected]] = [
    (
        kinds.JOB,
        "",
        {"spec/suspend": True},
        {"spec/suspend": True, "spec/template/spec/hostname": "x"},
        ("spec.template.spec", INVALID, "field is immutable"),
    ),
    (
        kinds.JOB,
        "",
        {"spec/suspend": True, "status/startTime": NOW},
        {"spec/suspend": True, "spec/template/spec/nodeSelector": {"a": "b"}},
        ("spec.template", INVALID, "field is immutable"),
    ),
    (
        kinds.JOB,
        "status",
        {"status/failed": 2},
        {"status/failed": 1},
        ("status.failed", INVALID, "cannot decrease the failed counter"),
    ),
    (
        kinds.JOB,
        "status",
        {"status/succeeded": 2},
        {"status/succeeded": 1},
        ("status.succeeded", INVALID, "cannot decrease the succeeded counter"),
    ),
    (
        kinds.JOB,
        "status",
        {},
        {"status/uncountedTerminatedPods": {"succeeded": ["a", ""], "failed": ["a"]}},
        ("status.uncountedTerminatedPods.failed[0]", DUPLICATE, '"a"'),
    ),
    (
        kinds.JOB,
        "status",
        {},
        {"status/uncountedTerminatedPods": {"succeeded": [""]}},
        ("status.uncountedTerminatedPods.succeeded[0]", INVALID, "must not be empty"),
    ),
    (
        kinds.JOB,
        "status",
        {},
        {"status/conditions": FAILED, "status/uncountedTerminatedPods": {"failed": ["a"]}},
        ("status.uncountedTerminatedPods", INVALID, "must be empty for finished job"),
    ),
    (
        kinds.JOB,
        "status",
        {},
        {"status/conditions": [*DONE, *FAILED]},
        ("status.conditions", INVALID, "cannot set Complete=True and Failed=true conditions"),
    ),
    (
        kinds.JOB,
        "status",
        {},
        {"status/conditions": [*DONE, *FAILED]},
        ("status.conditions", INVALID, "cannot set Complete=True and FailureTarget=true conditions"),
    ),
    (
        kinds.JOB,
        "status",
        {},
        {"status/conditions": [*DONE, *FAILED]},
        ("status.conditions", INVALID, "cannot set SuccessCriteriaMet=True and FailureTarget=true conditions"),
    ),
    (
        kinds.JOB,
        "status",
        {},
        {"status/conditions": FAILED[:1]},
        ("status.conditions", INVALID, "cannot set Failed=True condition without the FailureTarget=true condition"),
    ),
    (
        kinds.JOB,
        "status",
        {},
        {"status/conditions": DONE[:1]},
        ("status.conditions", INVALID, "cannot set Complete=True condition without the SuccessCriteriaMet=true"),
    ),
    (
        kinds.JOB,
        "status",
        {**INDEXED, "spec/successPolicy": {"rules": [{"succeededCount": 1}]}},
        {**INDEXED, "spec/successPolicy": {"rules": [{"succeededCount": 1}]}, "status/conditions": DONE[:1]},
        ("status.conditions", INVALID, "with SuccessPolicy unless SuccessCriteriaMet=True"),
    ),
    (
        kinds.JOB,
        "status",
        {"status/conditions": FAILED},
        {},
        ("status.conditions", INVALID, "cannot disable the terminal Failed=True condition"),
    ),
    (
        kinds.JOB,
        "status",
        {"status/conditions": DONE},
        {},
        ("status.conditions", INVALID, "cannot disable the SuccessCriteriaMet=True condition"),
    ),
    (
        kinds.JOB,
        "status",
        {"status/conditions": DONE[:1]},
        {"status/conditions": DONE},
        ("status.conditions", INVALID, "already has Complete=true conditions"),
    ),
    (
        kinds.JOB,
        "status",
        {},
        {"status/completionTime": NOW},
        ("status.completionTime", INVALID, "when there is no Complete=True condition"),
    ),
    (
        kinds.JOB,
        "status",
        {},
        {"status/startTime": LATER, "status/completionTime": NOW},
        ("status.completionTime", INVALID, "must be equal to or after `startTime`"),
    ),
    (
        kinds.JOB,
        "status",
        {"status/completionTime": NOW},
        {"status/completionTime": LATER},
        ("status.completionTime", INVALID, "field is immutable"),
    ),
    (
        kinds.JOB,
        "status",
        {"status/startTime": NOW},
        {"status/startTime": LATER},
        ("status.startTime", INVALID, "field is immutable for unsuspended job once set"),
    ),
    (
        kinds.JOB,
        "status",
        {},
        {"status/conditions": FAILED},
        ("status.startTime", REQUIRED, "startTime is required for finished job"),
    ),
    (
        kinds.JOB,
        "status",
        {},
        {"status/conditions": FAILED, "status/active": 1},
        ("status.active", INVALID, "active>0 is invalid for finished job"),
    ),
    (
        kinds.JOB,
        "status",
        {},
        {"status/conditions": FAILED, "status/terminating": 1},
        ("status.terminating", INVALID, "terminating>0 is invalid for finished job"),
    ),
    (
        kinds.JOB,
        "status",
        {},
        {"status/ready": 1},
        ("status.ready", INVALID, "cannot set more ready pods than active"),
    ),
    (
        kinds.JOB,
        "status",
        INDEXED,
        {**INDEXED, "status/completedIndexes": "9"},
        ("status.completedIndexes", INVALID, 'error parsing completedIndexes: too large index: "9"'),
    ),
    (
        kinds.JOB,
        "status",
        {},
        {"status/completedIndexes": "1"},
        ("status.completedIndexes", INVALID, "when non-indexed completion mode"),
    ),
    (
        kinds.JOB,
        "status",
        {},
        {"status/failedIndexes": "1"},
        ("status.failedIndexes", INVALID, "when backoffLimitPerIndex is null"),
    ),
    (
        kinds.JOB,
        "status",
        INDEXED,
        {**INDEXED, "status/failedIndexes": "x"},
        ("status.failedIndexes", INVALID, "error parsing failedIndexes"),
    ),
    (
        kinds.JOB,
        "status",
        INDEXED,
        {**INDEXED, "status/completedIndexes": "0-1", "status/failedIndexes": "1"},
        ("status.failedIndexes", INVALID, "failedIndexes and completedIndexes overlap at index: 1"),
    ),
]


@pytest.mark.parametrize(("subresource", "old", "new", "expected"), [row[1:] for row in UPDATE])
def test_changes_of_jobs(subresource: str, old: Change, new: Change, expected: Expected) -> None:
    causes = validation.validate_update(kinds.JOB, build(kinds.JOB, new), build(kinds.JOB, old), subresource)
    assert told(causes, expected), causes
