"""The tables of Jobs and CronJobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api import kinds, times
from api.kinds import Kind
from controlplane.apiserver.tables.ages import age, human
from controlplane.apiserver.tables.columns import Cell, Layout, columns
from controlplane.apiserver.tables.workloads import selector, template

if TYPE_CHECKING:
    from api.batch_v1 import CronJob, Job

_NONE = "<none>"
_WIDE = ("Containers", "Images", "Selector")
_LATER_WORDS = ("Suspended", "FailureTarget", "SuccessCriteriaMet")


def _job(obj: Job, now: float) -> list[Cell]:
    return [
        obj.metadata.name,
        _status(obj),
        _completions(obj),
        _duration(obj, now),
        age(obj.metadata.creation_timestamp, now),
        *template(obj.spec.template),
        selector(obj.spec.selector) or _NONE,
    ]


def _status(obj: Job) -> str:
    true = {condition.type for condition in obj.status.conditions if condition.status == "True"}
    for word in ("Complete", "Failed"):
        if word in true:
            return word
    if obj.metadata.deletion_timestamp:
        return "Terminating"
    return next((word for word in _LATER_WORDS if word in true), "Running")


def _completions(obj: Job) -> str:
    done, wanted, parallel = obj.status.succeeded or 0, obj.spec.completions, obj.spec.parallelism or 0
    if wanted is not None:
        return f"{done}/{wanted}"
    return f"{done}/1 of {parallel}" if parallel > 1 else f"{done}/1"


def _duration(obj: Job, now: float) -> str:
    started, ended = obj.status.start_time, obj.status.completion_time
    if not started:
        return ""
    try:
        return human((times.parse_time(ended) if ended else now) - times.parse_time(started))
    except ValueError:
        return "<invalid>"


def _cron_job(obj: CronJob, now: float) -> list[Cell]:
    spec, last = obj.spec, obj.status.last_schedule_time
    inner = spec.job_template.spec
    return [
        obj.metadata.name,
        spec.schedule,
        _NONE if spec.time_zone is None else spec.time_zone,
        "<unset>" if spec.suspend is None else str(spec.suspend),
        len(obj.status.active),
        age(last, now) if last else _NONE,
        age(obj.metadata.creation_timestamp, now),
        *template(inner.template),
        selector(inner.selector) or _NONE,
    ]


LAYOUTS: dict[Kind[Any], Layout] = {
    kinds.JOB: Layout(columns("Name", "Status", "Completions", "Duration", "Age", wide=_WIDE), _job),
    kinds.CRON_JOB: Layout(
        columns(
            "Name",
            "Schedule",
            "Timezone",
            "Suspend:boolean",
            "Active:integer",
            "Last Schedule",
            "Age",
            wide=_WIDE,
        ),
        _cron_job,
    ),
}
