"""Server-side apply: who owns which field, and configurations merged by it. Pure, on plain data.

`schema` reads the declarations, `sets` is the algebra of fields, `compare` and `merge` look at values, `managers` is
metadata.managedFields, `ownership` puts them together, `objects` is the way to it from typed objects, `check` says why a
configuration fits no declaration.
"""
