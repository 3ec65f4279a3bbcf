"""The service: people, postings, pushes, ledger and programmes. Floors import downwards only; see README.md."""
