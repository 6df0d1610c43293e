"""The engine on an etcd v3 cluster, over gRPC. Must not know Kubernetes."""

from controlplane.store.etcd.engine import EtcdStore

__all__ = ["EtcdStore"]
