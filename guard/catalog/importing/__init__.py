"""From public pages and lists to records of one's own: what ``guard catalog import`` does. Pure.

`pages` and `lists` read one file each kind, `overlay` turns what they found into records on top of a
catalog, `toml` writes them. Nothing here opens a connection.
"""
