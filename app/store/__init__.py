"""Tables and their queries, a noun a file.

Only use cases call these functions; none of them commits. Rows never load anything by themselves (`lazy="raise"`).
"""
