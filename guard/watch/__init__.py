"""``guard watch``: what changes from look to look. Pure; the command does the looking.

`look` draws what counts of one look, `compare` says what is different in the next one.
"""
