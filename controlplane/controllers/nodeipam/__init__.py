"""A range of pod addresses for every node."""
