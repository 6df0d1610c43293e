"""batch/v1: Jobs and CronJobs."""

from typing import Annotated

from api import choices
from api.core_v1 import ObjectReference, PodTemplateSpec
from api.fields import F, Int32, Int64, Time, Type, constant, required
from api.meta_v1 import LabelSelector, ObjectMeta


class PodFailurePolicyOnExitCodesRequirement(Type):
    """Exit codes of containers that a rule is for."""

    container_name: Annotated[str | None, F(1, explicit=True)] = None
    operator: Annotated[str, F(2, among=choices.EXIT_CODE_OPERATORS)] = required(str)
    values: Annotated[list[Int32], F(3, unique=True)] = required(list)


class PodFailurePolicyOnPodConditionsPattern(Type):
    """A condition of pods that a rule is for."""

    type: Annotated[str, F(1)] = required(str)
    status: Annotated[str, F(2)] = required(str)


class PodFailurePolicyRule(Type):
    """One way to fail, and what follows from it."""

    action: Annotated[str, F(1, among=choices.FAILURE_ACTIONS)] = required(str)
    on_exit_codes: Annotated[PodFailurePolicyOnExitCodesRequirement | None, F(2)] = None
    on_pod_conditions: Annotated[list[PodFailurePolicyOnPodConditionsPattern], F(3, atomic=True)] = []


class PodFailurePolicy(Type):
    """What follows when pods of a Job fail, by how they failed."""

    rules: Annotated[list[PodFailurePolicyRule], F(1, atomic=True)] = required(list)


class SuccessPolicyRule(Type):
    """Indexes, or a number of them, that are enough."""

    succeeded_indexes: Annotated[str | None, F(1, explicit=True)] = None
    succeeded_count: Annotated[Int32 | None, F(2, explicit=True)] = None


class SuccessPolicy(Type):
    """When a Job has succeeded although not all its indexes have."""

    rules: Annotated[list[SuccessPolicyRule], F(1, atomic=True)] = required(list)


class JobSpec(Type):
    """How many pods must succeed, how many run at a time, and what they look like.

    parallelism: how many pods may run at a time
    completions: how many pods must succeed
    active_deadline_seconds: how long it may run in all
    backoff_limit: how many pods may fail before it does; 6 by default
    selector: the labels that its pods have; made by itself
    template: what its pods look like
    ttl_seconds_after_finished: how long it is kept after its end; for ever by default
    completion_mode: whether any pods must succeed, or one for each index; NonIndexed by default
    suspend: while true, no pods are run
    """

    parallelism: Annotated[Int32 | None, F(1, explicit=True)] = None
    completions: Annotated[Int32 | None, F(2, explicit=True)] = None
    active_deadline_seconds: Annotated[Int64 | None, F(3, explicit=True)] = None
    pod_failure_policy: Annotated[PodFailurePolicy | None, F(11)] = None
    success_policy: Annotated[SuccessPolicy | None, F(16)] = None
    backoff_limit: Annotated[Int32 | None, F(7, explicit=True)] = None
    backoff_limit_per_index: Annotated[Int32 | None, F(12, explicit=True)] = None
    max_failed_indexes: Annotated[Int32 | None, F(13, explicit=True)] = None
    selector: Annotated[LabelSelector | None, F(4)] = None
    manual_selector: Annotated[bool | None, F(5, explicit=True)] = None
    template: Annotated[PodTemplateSpec, F(6)] = required(PodTemplateSpec)
    ttl_seconds_after_finished: Annotated[Int32 | None, F(8, explicit=True)] = None
    completion_mode: Annotated[str | None, F(9, explicit=True, among=choices.COMPLETION_MODES)] = None
    suspend: Annotated[bool | None, F(10, explicit=True)] = None
    pod_replacement_policy: Annotated[str | None, F(14, explicit=True, among=choices.POD_REPLACEMENT)] = None
    managed_by: Annotated[str | None, F(15, explicit=True)] = None


class JobCondition(Type):
    """One thing that is, or is not, the case with a Job."""

    type: Annotated[str, F(1)] = required(str)
    status: Annotated[str, F(2)] = required(str)
    last_probe_time: Annotated[Time | None, F(3)] = None
    last_transition_time: Annotated[Time | None, F(4)] = None
    reason: Annotated[str | None, F(5)] = None
    message: Annotated[str | None, F(6)] = None


class UncountedTerminatedPods(Type):
    """Pods that have ended and are not counted yet."""

    succeeded: Annotated[list[str], F(1, unique=True)] = []
    failed: Annotated[list[str], F(2, unique=True)] = []


class JobStatus(Type):
    """How many pods of a Job run, succeeded and failed.

    start_time: when it began
    completion_time: when it was done
    active: how many pods run
    succeeded: how many pods have succeeded
    failed: how many pods have failed
    ready: how many pods are ready
    completed_indexes: the indexes that have succeeded
    """

    conditions: Annotated[list[JobCondition], F(1, merge="type", atomic=True)] = []
    start_time: Annotated[Time | None, F(2)] = None
    completion_time: Annotated[Time | None, F(3)] = None
    active: Annotated[Int32 | None, F(4)] = None
    succeeded: Annotated[Int32 | None, F(5)] = None
    failed: Annotated[Int32 | None, F(6)] = None
    terminating: Annotated[Int32 | None, F(11, explicit=True)] = None
    completed_indexes: Annotated[str | None, F(7)] = None
    failed_indexes: Annotated[str | None, F(10, explicit=True)] = None
    uncounted_terminated_pods: Annotated[UncountedTerminatedPods | None, F(8)] = None
    ready: Annotated[Int32 | None, F(9, explicit=True)] = None


class Job(Type):
    """Work that ends: runs pods until enough of them have succeeded."""

    kind: str = constant("Job")
    api_version: str = constant("batch/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[JobSpec, F(2)] = required(JobSpec)
    status: Annotated[JobStatus, F(3)] = required(JobStatus)


class JobTemplateSpec(Type):
    """What the Jobs of a CronJob look like."""

    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[JobSpec, F(2)] = required(JobSpec)


class CronJobSpec(Type):
    """When a CronJob starts which Job.

    schedule: minute, hour, day of month, month, day of week, as in a crontab
    time_zone: the time zone of the schedule, by its name; that of the control plane by default
    starting_deadline_seconds: by how much a Job may be late before its start is left out
    concurrency_policy: what to do when the last Job still runs; Allow by default
    suspend: while true, no Job is started
    job_template: what its Jobs look like
    successful_jobs_history_limit: how many Jobs that succeeded are kept; 3 by default
    failed_jobs_history_limit: how many Jobs that failed are kept; 1 by default
    """

    schedule: Annotated[str, F(1)] = required(str)
    time_zone: Annotated[str | None, F(8, explicit=True)] = None
    starting_deadline_seconds: Annotated[Int64 | None, F(2, explicit=True)] = None
    concurrency_policy: Annotated[str | None, F(3, among=choices.CONCURRENCY)] = None
    suspend: Annotated[bool | None, F(4, explicit=True)] = None
    job_template: Annotated[JobTemplateSpec, F(5)] = required(JobTemplateSpec)
    successful_jobs_history_limit: Annotated[Int32 | None, F(6, explicit=True)] = None
    failed_jobs_history_limit: Annotated[Int32 | None, F(7, explicit=True)] = None


class CronJobStatus(Type):
    """Which Jobs run, and when the last ones were started.

    active: the Jobs that run
    last_schedule_time: when a Job was started last
    last_successful_time: when a Job succeeded last
    """

    active: Annotated[list[ObjectReference], F(1, atomic=True)] = []
    last_schedule_time: Annotated[Time | None, F(4)] = None
    last_successful_time: Annotated[Time | None, F(5)] = None


class CronJob(Type):
    """Starts a Job again and again, at times that a schedule tells."""

    kind: str = constant("CronJob")
    api_version: str = constant("batch/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[CronJobSpec, F(2)] = required(CronJobSpec)
    status: Annotated[CronJobStatus, F(3)] = required(CronJobStatus)
