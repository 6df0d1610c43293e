"""The ServiceAccount `default` in every namespace."""
