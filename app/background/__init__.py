"""The loops that run beside the server: each a file, each a step that can be called by itself and a rhythm.

A step that fails is logged and tried again; it never ends the loop and never the process.
"""
