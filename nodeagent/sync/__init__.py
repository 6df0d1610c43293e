"""The shells: one serial worker per pod that observes, plans and acts. Must not decide what a plan can decide."""
