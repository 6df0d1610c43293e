"""The store: etcd semantics behind one interface, two engines. Must not know Kubernetes."""
