"""The vocabulary of Kubernetes, declared once: types, kinds, defaults, validation, patches. Must not do I/O, read a clock or know any component."""
