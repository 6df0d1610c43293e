"""The controllers: each makes what is seen into what is wanted. Must not touch the kernel, the store or other programs."""
