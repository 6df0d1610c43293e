"""Rules for the status of a Job: what ended stays ended, and a Job ends in one way.

What was there already is not judged again: a rule holds when one of the fields that it is about has changed.
"""

from collections.abc import Callable

from api.batch_v1 import Job, JobStatus
from api.validation.indexes import IndexesError, count_indexes, first_common
from api.validation.problems import Problems

_CONDITIONS = "status.conditions"


class _Change:
    """The old and the new status, and what is true in each."""

    def __init__(self, new: Job, old: Job) -> None:
        self.new, self.old, self.spec = new.status, old.status, new.spec
        self.true, self.was = _true(new.status), _true(old.status)
        self.indexed = new.spec.completion_mode == "Indexed"
        self.finished = bool(self.true & {"Complete", "Failed"})

    def turned(self, *conditions: str) -> bool:
        """Whether one of the conditions became true or ceased to be."""
        return any((name in self.true) != (name in self.was) for name in conditions)

    def ended(self) -> bool:
        """Whether the Job finished now, or is finished no more."""
        return self.finished != bool(self.was & {"Complete", "Failed"})

    def differs(self, *fields: str) -> bool:
        """Whether one of the fields has another value."""
        return any((getattr(self.new, name) or 0) != (getattr(self.old, name) or 0) for name in fields)


def status(found: Problems, new: Job, old: Job) -> None:
    """A changed status."""
    change = _Change(new, old)
    for field, value in (
        ("active", new.status.active),
        ("succeeded", new.status.succeeded),
        ("failed", new.status.failed),
        ("ready", new.status.ready),
        ("terminating", new.status.terminating),
    ):
        found.not_negative(f"status.{field}", value)
    for rule in _RULES:
        rule(found, change)


def _uncounted(found: Problems, change: _Change) -> None:
    pods = change.new.uncounted_terminated_pods
    seen: set[str] = set()
    for field, uids in (("succeeded", pods.succeeded), ("failed", pods.failed)) if pods is not None else ():
        for index, uid in enumerate(uids):
            where = f"status.uncountedTerminatedPods.{field}[{index}]"
            if not uid:
                found.invalid(where, uid, "must not be empty")
            elif uid in seen:
                found.duplicate(where, uid)
            seen.add(uid)
    judged = change.ended() or change.differs("uncounted_terminated_pods")
    if pods is not None and (pods.succeeded or pods.failed) and change.finished and judged:
        found.invalid("status.uncountedTerminatedPods", pods, "must be empty for finished job")


def _ways_to_end(found: Problems, change: _Change) -> None:
    true, says = change.true, found.invalid_here
    if {"Complete", "Failed"} <= true and change.turned("Complete", "Failed"):
        says(_CONDITIONS, "cannot set Complete=True and Failed=true conditions")
    if {"Complete", "FailureTarget"} <= true and change.turned("Complete", "FailureTarget"):
        says(_CONDITIONS, "cannot set Complete=True and FailureTarget=true conditions")
    announced = change.turned("Failed") or change.new.failed_indexes != change.old.failed_indexes
    if "Failed" in true and "FailureTarget" not in true and announced:
        says(_CONDITIONS, "cannot set Failed=True condition without the FailureTarget=true condition")
    if "Complete" in true and "SuccessCriteriaMet" not in true:
        if change.turned("Complete", "SuccessCriteriaMet"):
            says(_CONDITIONS, "cannot set Complete=True condition without the SuccessCriteriaMet=true condition")
        if change.spec.success_policy is not None:
            detail = "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True"
            says(_CONDITIONS, detail)
    for other in ("Failed", "FailureTarget"):
        if {"SuccessCriteriaMet", other} <= true:
            says(_CONDITIONS, f"cannot set SuccessCriteriaMet=True and {other}=true conditions")


def _stays(found: Problems, change: _Change) -> None:
    """What cannot be taken back."""
    for name in ("Failed", "Complete", "FailureTarget"):
        if name in change.was and name not in change.true:
            found.invalid_here(_CONDITIONS, f"cannot disable the terminal {name}=True condition")
    if "SuccessCriteriaMet" in change.was - change.true:
        found.invalid_here(_CONDITIONS, "cannot disable the SuccessCriteriaMet=True condition")
    if "Complete" in change.was and "SuccessCriteriaMet" in change.true - change.was:
        detail = "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions"
        found.invalid_here(_CONDITIONS, detail)
    if (change.new.failed or 0) < (change.old.failed or 0):
        found.invalid("status.failed", change.new.failed or 0, "cannot decrease the failed counter")
    # A Job of which each pod has its index can be scaled down.
    scaled = change.indexed and change.spec.completions == change.spec.parallelism
    if (change.new.succeeded or 0) < (change.old.succeeded or 0) and not scaled:
        found.invalid("status.succeeded", change.new.succeeded or 0, "cannot decrease the succeeded counter")


def _times(found: Problems, change: _Change) -> None:
    new, old, complete = change.new, change.old, "Complete" in change.true
    path, end = "status.completionTime", new.completion_time
    if change.turned("Complete") or change.differs("completion_time"):
        if end is not None and not complete:
            found.invalid(path, end, "cannot set completionTime when there is no Complete=True condition")
        if end is None and complete:
            found.required(path, "completionTime is required for Complete jobs")
    backwards = end is not None and new.start_time is not None and end < new.start_time
    if backwards and change.differs("start_time", "completion_time"):
        found.invalid(path, end, "must be equal to or after `startTime`")
    if end is not None and old.completion_time is not None and end != old.completion_time:
        found.invalid(path, end, "field is immutable")
    emptied = bool(change.spec.suspend) and change.spec.completions == 0
    judged = change.ended() or change.differs("start_time")
    if new.start_time is None and change.finished and not emptied and judged:
        found.required("status.startTime", "startTime is required for finished job")
    resumed = "Suspended" in change.was and "Suspended" in _false(new)
    if old.start_time is not None and change.differs("start_time") and not change.spec.suspend and not resumed:
        detail = "field is immutable for unsuspended job once set"
        found.invalid("status.startTime", new.start_time, detail)


def _pods(found: Problems, change: _Change) -> None:
    new = change.new
    for field, value in (("active", new.active), ("terminating", new.terminating)):
        if (value or 0) > 0 and change.finished and (change.ended() or change.differs(field)):
            found.invalid(f"status.{field}", value, f"{field}>0 is invalid for finished job")
    if (new.ready or 0) > (new.active or 0) and change.differs("ready", "active"):
        found.invalid("status.ready", new.ready, "cannot set more ready pods than active")


def _indexes(found: Problems, change: _Change) -> None:
    new, old, spec = change.new, change.old, change.spec
    completed, failed = new.completed_indexes or "", new.failed_indexes
    new_completed, new_failed = completed != (old.completed_indexes or ""), failed != old.failed_indexes
    if new_completed:
        if spec.completions is not None:
            _readable(found, "completedIndexes", completed, spec.completions)
        if completed and not change.indexed:
            detail = "cannot set non-empty completedIndexes when non-indexed completion mode"
            found.invalid("status.completedIndexes", completed, detail)
    if failed is None:
        return
    if new_failed:
        if spec.backoff_limit_per_index is None:
            detail = "cannot set non-null failedIndexes when backoffLimitPerIndex is null"
            found.invalid("status.failedIndexes", failed, detail)
        elif spec.completions is not None:
            _readable(found, "failedIndexes", failed, spec.completions)
    if (new_failed or new_completed) and spec.completions is not None:
        both = first_common(completed, failed, spec.completions)
        if both is not None:
            detail = f"failedIndexes and completedIndexes overlap at index: {both}"
            found.invalid("status.failedIndexes", failed, detail)


def _readable(found: Problems, field: str, text: str, completions: int) -> None:
    try:
        count_indexes(text, completions)
    except IndexesError as error:
        found.invalid(f"status.{field}", text, f"error parsing {field}: {error}")


def _true(status: JobStatus) -> set[str]:
    return {condition.type for condition in status.conditions if condition.status == "True"}


def _false(status: JobStatus) -> set[str]:
    return {condition.type for condition in status.conditions if condition.status == "False"}


_RULES: tuple[Callable[[Problems, _Change], None], ...] = (_uncounted, _ways_to_end, _stays, _times, _pods, _indexes)
