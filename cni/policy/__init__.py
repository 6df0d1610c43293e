"""NetworkPolicies: which connections pods of this node may take and make. Must not know how pods get their addresses.

objects      what Pods, Namespaces and NetworkPolicies say, reduced to what counts here
attachments  which addresses the runtime has given to whom. Pure.
ledger       who is selected by what, kept up to date change by change; what is to be written again. Pure.
render       from the ledger to tables, sets, chains and verdict maps of nf_tables: the difference to what is there. Pure.
flows        connections of addresses that are given back
enforcer     the loop: one transaction for all that has changed
"""
