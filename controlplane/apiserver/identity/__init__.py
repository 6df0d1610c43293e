"""Who asks: the keys and claims of tokens, the kinds of bearer tokens, and acting as somebody else. What they may do is in `access/`."""
