"""Where the agent learns what it should run and what that refers to. Must not decide about pods."""
