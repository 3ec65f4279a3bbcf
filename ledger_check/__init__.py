"""Checks a ledger without the service that wrote it: `python -m ledger_check EXPORT`.

Needs Python's standard library and `cryptography`, and shares no line with the service: what it knows is what
`docs/ledger.md` says, so that anybody can write it again.
"""
