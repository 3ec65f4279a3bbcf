"""What the law and the trade say: pure functions, closed lists, no table and no clock.

One closed list is one enum here; its value is what the database stores, its Chinese label stands beside it.
"""
