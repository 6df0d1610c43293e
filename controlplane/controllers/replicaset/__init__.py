"""ReplicaSets: as many pods of one template as asked for."""
