"""What clients need to check and explain objects, and to be generated from: schemas and operations, from the table of kinds.

`schemas` and `operations` say it once; `v3` and `v2` write it in the two forms of OpenAPI, when somebody first asks.
"""
