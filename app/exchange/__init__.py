"""Files in and out: tables of postings and workers, read as people made them.

Nothing here touches a table of the database: a reader hands typed drafts to a use case, which judges and stores them.
"""
