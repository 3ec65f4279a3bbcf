"""Tools with no opinion about work or people: clock, database, keys, tokens, errors, logs.

Nothing here knows a noun of the service; a function that does belongs one floor up, in `domain`.
"""
