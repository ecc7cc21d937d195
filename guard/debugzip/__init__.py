"""A source: the snapshot of a cluster from the file that ``cockroach debug zip`` makes of it."""
