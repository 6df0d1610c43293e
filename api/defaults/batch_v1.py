"""Defaults of Jobs and CronJobs."""

from collections.abc import Callable
from typing import Any

from api import kinds
from api.batch_v1 import CronJob, Job, JobSpec
from api.defaults.pods import pod_spec
from api.kinds import Kind

_MOST = 2**31 - 1


def job(obj: Job) -> None:
    """Defaults of a Job; it is called what its pods are called."""
    spec = obj.spec
    if spec.parallelism is None:
        if spec.completions is None:
            spec.completions = 1
        spec.parallelism = 1
    if spec.backoff_limit is None:
        spec.backoff_limit = 6 if spec.backoff_limit_per_index is None else _MOST
    obj.metadata.labels = obj.metadata.labels or spec.template.metadata.labels
    if spec.completion_mode is None:
        spec.completion_mode = "NonIndexed"
    if spec.suspend is None:
        spec.suspend = False
    if spec.pod_replacement_policy is None:
        spec.pod_replacement_policy = "TerminatingOrFailed" if spec.pod_failure_policy is None else "Failed"
    if spec.manual_selector is None:
        spec.manual_selector = False
    _job_spec(spec)


def cron_job(obj: CronJob) -> None:
    """Defaults of a CronJob; those of its Jobs come when they are made."""
    spec = obj.spec
    spec.concurrency_policy = spec.concurrency_policy or "Allow"
    if spec.suspend is None:
        spec.suspend = False
    if spec.successful_jobs_history_limit is None:
        spec.successful_jobs_history_limit = 3
    if spec.failed_jobs_history_limit is None:
        spec.failed_jobs_history_limit = 1
    _job_spec(spec.job_template.spec)


def _job_spec(spec: JobSpec) -> None:
    for rule in spec.pod_failure_policy.rules if spec.pod_failure_policy is not None else []:
        for pattern in rule.on_pod_conditions:
            pattern.status = pattern.status or "True"
    pod_spec(spec.template.spec)


BY_KIND: dict[Kind[Any], Callable[[Any], None]] = {kinds.JOB: job, kinds.CRON_JOB: cron_job}
