"""The process that hosts talk to over its standard input and output.

``gossamer worker`` reads requests of :mod:`gossamer_bridge.protocol` and answers them; the bridge's ``README.md`` lists
the verbs. Three threads share the work: one reads and answers what is quick, one reads and writes pictures for the
host, and the main thread works with models, one request after the other. Nothing a host does or leaves undone can
stop the reading of messages.
"""
