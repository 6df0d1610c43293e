"""The two images that `up` builds on this machine, so that no image registry is needed."""
