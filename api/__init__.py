"""The vocabulary: typed objects, kinds table, quantities, selectors, defaults, validation, patches.

Must not do I/O, read a clock or know any component.
"""
