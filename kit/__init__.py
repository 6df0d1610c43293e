"""Clock, queues, supervisor, logs, metrics and the small HTTP server. Must not know Kubernetes or the kernel's networking."""
