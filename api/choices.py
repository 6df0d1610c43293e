"""What text a field may hold, where the API knows all that it can be: told to clients by the schemas, and kept to by validation.

Most are refused otherwise (`api.validation`); some hold what only components write, or more than the rules of a moment allow.
"""

MATCH_POLICIES = ("Equivalent", "Exact")
FAILURE_POLICIES = ("Fail", "Ignore")
REINVOCATIONS = ("IfNeeded", "Never")
SIDE_EFFECTS = ("None", "NoneOnDryRun", "Some", "Unknown")
PATCH_TYPES = ("ApplyConfiguration", "JSONPatch")
OPERATIONS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
SCOPES = ("*", "Cluster", "Namespaced")
VALIDATION_ACTIONS = ("Audit", "Deny", "Warn")
FAILURE_REASONS = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")
SET_UPDATES = ("OnDelete", "RollingUpdate")
DEPLOYMENT_STRATEGIES = ("Recreate", "RollingUpdate")
POD_MANAGEMENT = ("OrderedReady", "Parallel")
CONCURRENCY = ("Allow", "Forbid", "Replace")
COMPLETION_MODES = ("Indexed", "NonIndexed")
POD_REPLACEMENT = ("Failed", "TerminatingOrFailed")
EXIT_CODE_OPERATORS = ("In", "NotIn")
FAILURE_ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
KEY_USAGES = (
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
)
PROFILES = ("Localhost", "RuntimeDefault", "Unconfined")
DISK_CACHING = ("None", "ReadOnly", "ReadWrite")
DISK_KINDS = ("Dedicated", "Managed", "Shared")
PULL_POLICIES = ("Always", "IfNotPresent", "Never")
TERMINATION_MESSAGES = ("FallbackToLogsOnError", "File")
PROTOCOLS = ("SCTP", "TCP", "UDP")
_NAMED = (
    "ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT RTMAX RTMIN SEGV STKFLT "
    "STOP SYS TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ"
)
_NUMBERED = (*(f"RTMAX-{n}" for n in range(1, 15)), *(f"RTMIN+{n}" for n in range(1, 16)))
SIGNALS = tuple(sorted(f"SIG{name}" for name in (*_NAMED.split(), *_NUMBERED)))
SCHEMES = ("HTTP", "HTTPS")
HOST_PATH_TYPES = ("", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket")
MODIFY_STATES = ("InProgress", "Infeasible", "Pending")
NAMESPACE_PHASES = ("Active", "Terminating")
NODE_OPERATORS = ("DoesNotExist", "Exists", "Gt", "In", "Lt", "NotIn")
NODE_PHASES = ("Pending", "Running", "Terminated")
ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
VOLUME_MODES = ("Block", "Filesystem")
RESIZE_STATES = (
    "ControllerResizeInProgress",
    "ControllerResizeInfeasible",
    "NodeResizeInProgress",
    "NodeResizeInfeasible",
    "NodeResizePending",
)
CLAIM_PHASES = ("Bound", "Lost", "Pending")
RECLAIM_POLICIES = ("Delete", "Recycle", "Retain")
VOLUME_PHASES = ("Available", "Bound", "Failed", "Pending", "Released")
FS_GROUP_CHANGES = ("Always", "OnRootMismatch")
GROUP_POLICIES = ("Merge", "Strict")
DNS_POLICIES = ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")
PREEMPTION = ("Never", "PreemptLowerPriority")
RESTART_POLICIES = ("Always", "Never", "OnFailure")
POD_PHASES = ("Failed", "Pending", "Running", "Succeeded", "Unknown")
QOS_CLASSES = ("BestEffort", "Burstable", "Guaranteed")
QUOTA_SCOPES = (
    "BestEffort",
    "CrossNamespacePodAffinity",
    "NotBestEffort",
    "NotTerminating",
    "PriorityClass",
    "Terminating",
    "VolumeAttributesClass",
)
SCOPE_OPERATORS = ("DoesNotExist", "Exists", "In", "NotIn")
PROC_MOUNTS = ("Default", "Unmasked")
TRAFFIC_POLICIES = ("Cluster", "Local")
IP_FAMILIES = ("", "IPv4", "IPv6")
IP_FAMILY_POLICIES = ("PreferDualStack", "RequireDualStack", "SingleStack")
AFFINITIES = ("ClientIP", "None")
SERVICE_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
TAINT_EFFECTS = ("NoExecute", "NoSchedule", "PreferNoSchedule")
TOLERATION_OPERATORS = ("Equal", "Exists", "Gt", "Lt")
SPREAD_INCLUSION = ("Honor", "Ignore")
UNSATISFIABLE = ("DoNotSchedule", "ScheduleAnyway")
MOUNT_PROPAGATION = ("Bidirectional", "HostToContainer", "None")
ADDRESS_TYPES = ("FQDN", "IPv4", "IPv6")
PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
POLICY_TYPES = ("Egress", "Ingress")
UNHEALTHY_EVICTION = ("AlwaysAllow", "IfHealthyBudget")
CONFIGURATION_SOURCES = ("FromClaim", "FromClass")
ALLOCATION_MODES = ("All", "ExactCount")
DEVICE_EFFECTS = ("NoExecute", "NoSchedule", "None")
DEVICE_OPERATORS = ("Equal", "Exists")
BINDING_MODES = ("Immediate", "WaitForFirstConsumer")
