"""Pages for people who look for work, a noun a file. None of them needs an account."""
