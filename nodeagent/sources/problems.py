"""What is wrong with a source of pods."""


class BadManifest(Exception):
    """A manifest that no pod can be made of; the message names file and line."""
