"""Image names, pull policies and pulling. Must not know containers."""
