"""Hostile input for every reader: thousands of broken versions of sound files and messages.

A reader gives a `Target` (see `target`); `trial` tries it in a process of its own. More inputs
than in the tests, or one of them again: `python -m tests.fuzz --help`.
"""
