"""The scheduler: binds each pending pod to the best node. Must not touch the kernel, the store or any other program."""
