"""Namespaces on their way out: emptied, then let go."""
