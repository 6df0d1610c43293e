"""What keeps a node from filling up: logs are rotated, unused images go. Must not decide about pods."""
