"""What should be: every decision about endpoints, policies and conflicts, once, for all backends. Pure."""
