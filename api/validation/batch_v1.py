"""Rules for Jobs and CronJobs."""

import re
from typing import Any

import msgspec

from api import choices, kinds, names, schedules, selectors
from api.batch_v1 import (
    CronJob,
    Job,
    JobSpec,
    PodFailurePolicy,
    PodFailurePolicyOnExitCodesRequirement,
    PodFailurePolicyRule,
    SuccessPolicyRule,
)
from api.core_v1 import Affinity, Container
from api.kinds import Kind
from api.meta_v1 import LabelSelector
from api.validation import job_statuses, metadata, pods, references
from api.validation.indexes import IndexesError, count_indexes
from api.validation.problems import Problems
from api.validation.rules import Rules

CONTROLLER_UID, JOB_NAME = "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name"
OLD_CONTROLLER_UID, OLD_JOB_NAME = "controller-uid", "job-name"

_MANY = 100_000
_LONGEST_CRON_NAME = 52
_ACTIONS = choices.FAILURE_ACTIONS
_FREE_IN_SUSPENSION = ("node_selector", "tolerations", "scheduling_gates")
_COUNTS = (
    "parallelism",
    "completions",
    "active_deadline_seconds",
    "backoff_limit",
    "ttl_seconds_after_finished",
    "backoff_limit_per_index",
    "max_failed_indexes",
)
_ZONE_IN_SCHEDULE = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
_is_zone_part = re.compile("[A-Za-z0-9._+-]+").fullmatch


def job(found: Problems, obj: Job) -> None:
    """A Job."""
    spec = obj.spec
    job_spec(found, "spec", spec)
    if spec.selector is None:
        found.required("spec.selector")
    else:
        metadata.label_selector(found, "spec.selector", spec.selector)
        _matches(found, "spec.template.metadata.labels", spec.selector, spec.template.metadata.labels)
    if spec.completion_mode == "Indexed" and spec.completions:
        last = f"{obj.metadata.name}-{spec.completions - 1}"
        if names.dns_label(last):
            detail = f"will not able to create pod with invalid DNS label: {last}"
            found.invalid("metadata.name", obj.metadata.name, detail)


def _matches(found: Problems, path: str, selector: LabelSelector, labels: dict[str, str]) -> None:
    if _readable(selector) and not selectors.from_struct(selector).matches(labels):
        found.invalid(path, labels, "`selector` does not match template `labels`")


def _readable(selector: LabelSelector) -> bool:
    """Whether it can be said what it selects; if not, the reason is told elsewhere."""
    found = Problems()
    metadata.label_selector(found, "", selector)
    return not found.causes


def _new_job(found: Problems, obj: Job) -> None:
    _generated(found, obj, prefixed=True)


def _generated(found: Problems, obj: Job, *, prefixed: bool) -> None:
    """The selector and labels that the server itself makes are as it made them; the newer ones if they are there."""
    if obj.spec.manual_selector or obj.spec.selector is None:
        return
    expected = {
        OLD_CONTROLLER_UID: obj.metadata.uid or "",
        OLD_JOB_NAME: obj.metadata.name or "",
    }
    if prefixed:
        expected |= {CONTROLLER_UID: obj.metadata.uid or "", JOB_NAME: obj.metadata.name or ""}
    labels = obj.spec.template.metadata.labels
    for key, value in expected.items():
        where = f"spec.template.metadata.labels[{key}]"
        if key not in labels:
            found.required(where, f"must be '{value}'")
        elif labels[key] != value:
            found.invalid(where, labels, f"must be '{value}'")
    if _readable(obj.spec.selector) and not selectors.from_struct(obj.spec.selector).matches(expected):
        found.invalid("spec.selector", obj.spec.selector, "`selector` not auto-generated")


def job_spec(found: Problems, path: str, spec: JobSpec) -> None:
    """What Jobs and the templates of Jobs have in common."""
    for name in _COUNTS:
        found.not_negative(f"{path}.{_json(name)}", getattr(spec, name))
    if spec.max_failed_indexes is not None and spec.backoff_limit_per_index is None:
        found.required(f"{path}.backoffLimitPerIndex", "when maxFailedIndexes is specified")
    if spec.managed_by is not None:
        references.domain_path(found, f"{path}.managedBy", spec.managed_by)
        if len(spec.managed_by) > 63:
            found.too_long(f"{path}.managedBy", 63)
    found.optional_one_of(f"{path}.completionMode", spec.completion_mode, ("NonIndexed", "Indexed"))
    if spec.completion_mode == "Indexed":
        _indexed(found, path, spec)
    elif spec.completion_mode in (None, "NonIndexed"):
        for name in ("backoff_limit_per_index", "max_failed_indexes"):
            if getattr(spec, name) is not None:
                found.invalid(f"{path}.{_json(name)}", getattr(spec, name), "requires indexed completion mode")
    if spec.pod_failure_policy is not None:
        _failure_policy(found, f"{path}.podFailurePolicy", spec, spec.pod_failure_policy)
    if spec.success_policy is not None:
        _success_policy(found, f"{path}.successPolicy", spec)
    replaced = ("Failed",) if spec.pod_failure_policy is not None else choices.POD_REPLACEMENT
    found.optional_one_of(f"{path}.podReplacementPolicy", spec.pod_replacement_policy, replaced)
    pods.template(found, f"{path}.template", spec.template)
    _restart_policy(found, f"{path}.template.spec.restartPolicy", spec)


def _json(name: str) -> str:
    return dict(zip(JobSpec.__struct_fields__, JobSpec.__struct_encode_fields__, strict=True))[name]


def _restart_policy(found: Problems, path: str, spec: JobSpec) -> None:
    policy = spec.template.spec.restart_policy
    if policy in (None, "", "Always"):
        found.required(path, 'valid values: "OnFailure", "Never"')
    elif policy not in ("OnFailure", "Never"):
        found.not_supported(path, policy, ("OnFailure", "Never"))
    elif spec.pod_failure_policy is not None and policy != "Never":
        found.invalid(path, policy, 'only "Never" is supported when podFailurePolicy is specified')


def _indexed(found: Problems, path: str, spec: JobSpec) -> None:
    failed, wanted, parallel = spec.max_failed_indexes, spec.completions, spec.parallelism
    if wanted is None:
        found.required(f"{path}.completions", "when completion mode is Indexed")
    if parallel is not None and parallel > _MANY:
        detail = f"must be less than or equal to {_MANY} when completion mode is Indexed"
        found.invalid(f"{path}.parallelism", parallel, detail)
    if wanted is not None and failed is not None and failed > wanted:
        found.invalid(f"{path}.maxFailedIndexes", failed, "must be less than or equal to completions")
    if failed is not None and failed > _MANY:
        found.invalid(f"{path}.maxFailedIndexes", failed, f"must be less than or equal to {_MANY}")
    if wanted is None or wanted <= _MANY or spec.backoff_limit_per_index is None:
        return
    if failed is None:
        found.required(f"{path}.maxFailedIndexes", f"must be specified when completions is above {_MANY}")
    for field, value in (("parallelism", parallel), ("maxFailedIndexes", failed)):
        if value is not None and value > 10_000:
            detail = f"must be less than or equal to 10000 when completions are above {_MANY} and used with backoff limit per index"
            found.invalid(f"{path}.{field}", value, detail)


def _failure_policy(found: Problems, path: str, spec: JobSpec, policy: PodFailurePolicy) -> None:
    if len(policy.rules) > 20:
        found.too_many(f"{path}.rules", len(policy.rules), 20)
    for index, rule in enumerate(policy.rules):
        _failure_rule(found, f"{path}.rules[{index}]", spec, rule)


def _failure_rule(found: Problems, path: str, spec: JobSpec, rule: PodFailurePolicyRule) -> None:
    if not rule.action:
        found.required(f"{path}.action", _valid(_ACTIONS))
    elif rule.action == "FailIndex" and spec.backoff_limit_per_index is None:
        found.invalid(f"{path}.action", rule.action, "requires the backoffLimitPerIndex to be set")
    else:
        found.optional_one_of(f"{path}.action", rule.action, _ACTIONS)
    if rule.on_exit_codes is not None:
        pod = spec.template.spec
        known = {container.name for container in (*pod.containers, *pod.init_containers)}
        _exit_codes(found, f"{path}.onExitCodes", rule.on_exit_codes, known)
    if len(rule.on_pod_conditions) > 20:
        found.too_many(f"{path}.onPodConditions", len(rule.on_pod_conditions), 20)
    for index, pattern in enumerate(rule.on_pod_conditions):
        where = f"{path}.onPodConditions[{index}]"
        found.invalid_all(f"{where}.type", pattern.type, names.label_key(pattern.type))
        if not pattern.status:
            found.required(f"{where}.status", _valid(("False", "True", "Unknown")))
        else:
            found.optional_one_of(f"{where}.status", pattern.status, ("False", "True", "Unknown"))
    if rule.on_exit_codes is not None and rule.on_pod_conditions:
        found.invalid_here(path, "specifying both OnExitCodes and OnPodConditions is not supported")
    if rule.on_exit_codes is None and not rule.on_pod_conditions:
        found.invalid_here(path, "specifying one of OnExitCodes and OnPodConditions is required")


def _valid(values: tuple[str, ...]) -> str:
    return "valid values: [" + " ".join(f'"{value}"' for value in values) + "]"


def _exit_codes(found: Problems, path: str, codes: PodFailurePolicyOnExitCodesRequirement, known: set[str]) -> None:
    if not codes.operator:
        found.required(f"{path}.operator", _valid(choices.EXIT_CODE_OPERATORS))
    else:
        found.optional_one_of(f"{path}.operator", codes.operator, choices.EXIT_CODE_OPERATORS)
    if codes.container_name is not None and codes.container_name not in known:
        detail = "must be one of the container or initContainer names in the pod template"
        found.invalid(f"{path}.containerName", codes.container_name, detail)
    if not codes.values:
        found.invalid(f"{path}.values", codes.values, "at least one value is required")
    elif len(codes.values) > 255:
        found.too_many(f"{path}.values", len(codes.values), 255)
    for index, value in enumerate(codes.values):
        if codes.operator == "In" and value == 0:
            found.invalid(f"{path}.values[{index}]", value, "must not be 0 for the In operator")
        if value in codes.values[:index]:
            found.duplicate(f"{path}.values[{index}]", value)
    if codes.values != sorted(codes.values):
        found.invalid(f"{path}.values", codes.values, "must be ordered")


def _success_policy(found: Problems, path: str, spec: JobSpec) -> None:
    policy = spec.success_policy
    assert policy is not None
    if spec.completion_mode != "Indexed":
        found.invalid(path, policy, "requires indexed completion mode")
        return
    if not policy.rules:
        found.required(f"{path}.rules", "at least one rules must be specified when the successPolicy is specified")
    if len(policy.rules) > 20:
        found.too_many(f"{path}.rules", len(policy.rules), 20)
    for index, rule in enumerate(policy.rules):
        _success_rule(found, f"{path}.rules[{index}]", spec.completions or 0, rule)


def _success_rule(found: Problems, path: str, completions: int, rule: SuccessPolicyRule) -> None:
    if rule.succeeded_count is None and rule.succeeded_indexes is None:
        found.required(path, "at least one of succeededCount or succeededIndexes must be specified")
    listed = None
    if rule.succeeded_indexes is not None:
        try:
            listed = count_indexes(rule.succeeded_indexes, completions)
        except IndexesError as error:
            detail = f"error parsing succeededIndexes: {error}"
            found.invalid(f"{path}.succeededIndexes", rule.succeeded_indexes, detail)
    count = rule.succeeded_count
    if count is None:
        return
    found.not_negative(f"{path}.succeededCount", count)
    if count > completions:
        detail = f"must be less than or equal to {completions} (the number of specified completions)"
        found.invalid(f"{path}.succeededCount", count, detail)
    if listed is not None and count > listed:
        detail = (
            f"must be less than or equal to {listed} (the number of indexes in the specified succeededIndexes field)"
        )
        found.invalid(f"{path}.succeededCount", count, detail)


def _job_changed(found: Problems, new: Job, old: Job) -> None:
    _generated(found, new, prefixed={CONTROLLER_UID, JOB_NAME} <= old.spec.template.metadata.labels.keys())
    after, before = new.spec, old.spec
    if after.completion_mode != "Indexed":
        found.immutable("spec.completions", after.completions, before.completions)
    elif after.completions not in (before.completions, None, after.parallelism):
        found.invalid("spec.completions", after.completions, "can only be modified in tandem with spec.parallelism")
    found.immutable("spec.selector", after.selector, before.selector)
    _template_changed(found, after, old)
    for name in (
        "completion_mode",
        "pod_failure_policy",
        "backoff_limit_per_index",
        "managed_by",
        "success_policy",
    ):
        found.immutable(f"spec.{_json(name)}", getattr(after, name), getattr(before, name))


def _template_changed(found: Problems, after: JobSpec, old: Job) -> None:
    """A suspended Job without pods may be sent elsewhere, and its containers may get more or less."""
    template, known, status = after.template, old.spec.template, old.status
    parked = any((one.type, one.status) == ("Suspended", "True") for one in status.conditions)
    if not (old.spec.suspend and (status.start_time is None or parked) and not status.active):
        found.immutable("spec.template", template, known)
        return
    kept: dict[str, Any] = {name: getattr(known.spec, name) for name in _FREE_IN_SUSPENSION}
    kept["affinity"] = _with_nodes_of(known.spec.affinity, template.spec.affinity)
    for field in ("containers", "init_containers"):
        kept[field] = _with_resources(getattr(template.spec, field), getattr(known.spec, field))
    if msgspec.structs.replace(template.spec, **kept) != known.spec:
        found.invalid("spec.template.spec", template.spec, "field is immutable")


def _with_nodes_of(old: Affinity | None, new: Affinity | None) -> Affinity | None:
    """The new affinity, with the nodes that the old one is for."""
    if old is None and new is None:
        return None
    mixed = msgspec.structs.replace(new or Affinity(), node_affinity=old.node_affinity if old is not None else None)
    if mixed == Affinity() and old is None:
        return None
    return mixed


def _with_resources(new: list[Container], old: list[Container]) -> list[Container]:
    """The new containers, asking for what the old ones ask for."""
    if len(new) != len(old):
        return new
    pairs = zip(new, old, strict=True)
    return [msgspec.structs.replace(a, resources=b.resources) if a.name == b.name else a for a, b in pairs]


def cron_job(found: Problems, obj: CronJob) -> None:
    """A CronJob."""
    spec = obj.spec
    if not spec.schedule:
        found.required("spec.schedule")
    else:
        try:
            schedules.parse(spec.schedule)
        except schedules.ScheduleError as error:
            found.invalid("spec.schedule", spec.schedule, str(error))
    found.not_negative("spec.startingDeadlineSeconds", spec.starting_deadline_seconds)
    if spec.time_zone is not None:
        _time_zone(found, "spec.timeZone", spec.time_zone)
    found.one_of("spec.concurrencyPolicy", spec.concurrency_policy, choices.CONCURRENCY)
    inner = spec.job_template.spec
    job_spec(found, "spec.jobTemplate.spec", inner)
    if inner.selector is not None:
        found.invalid("spec.jobTemplate.spec.selector", inner.selector, "`selector` will be auto-generated")
    if inner.manual_selector:
        found.not_supported("spec.jobTemplate.spec.manualSelector", True, ("nil", "false"))
    found.not_negative("spec.successfulJobsHistoryLimit", spec.successful_jobs_history_limit)
    found.not_negative("spec.failedJobsHistoryLimit", spec.failed_jobs_history_limit)


def _time_zone(found: Problems, path: str, zone: str) -> None:
    if not zone:
        found.invalid(path, zone, "timeZone must be nil or non-empty string")
    elif any(part in (".", "..") or part.startswith("-") or not _is_zone_part(part) for part in zone.split("/")):
        found.invalid(path, zone, f"unknown time zone {zone}")
    elif zone.lower() == "local":
        detail = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        found.invalid(path, zone, detail)


def _cron_job_name(name: str) -> list[str]:
    long = ["must be no more than 52 characters"] if len(name) > _LONGEST_CRON_NAME else []
    return [*names.dns_subdomain(name), *long]


def _new_cron_job(found: Problems, obj: CronJob) -> None:
    if "TZ" in obj.spec.schedule:
        found.invalid("spec.schedule", obj.spec.schedule, _ZONE_IN_SCHEDULE)


def _cron_job_changed(found: Problems, new: CronJob, old: CronJob) -> None:
    zoned = "TZ" in new.spec.schedule
    if zoned and "TZ" not in old.spec.schedule:
        found.invalid("spec.schedule", new.spec.schedule, _ZONE_IN_SCHEDULE)
    elif zoned and new.spec.time_zone is not None:
        detail = "cannot use both timeZone field and TZ or CRON_TZ in schedule"
        found.invalid("spec.schedule", new.spec.schedule, detail)


RULES: dict[Kind[Any], Rules] = {
    kinds.JOB: Rules(job, _job_changed, {"status": job_statuses.status}, fresh=_new_job),
    kinds.CRON_JOB: Rules(cron_job, _cron_job_changed, name=_cron_job_name, fresh=_new_cron_job),
}
