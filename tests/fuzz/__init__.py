"""Hostile input for every reader: thousands of corrupted versions of valid files and messages.

A reader is described by a `Target` (see `target`); `trial` tries it in a process of its own. To
try more inputs than the tests, or to repeat one: `python -m tests.fuzz --help`.
"""
