"""The wherry command: sets up, starts, shows and removes. Must not be imported by anything."""
