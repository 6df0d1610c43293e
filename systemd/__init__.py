"""Templates of the unit files; cli/services.py fills them in. Must hold no logic."""
