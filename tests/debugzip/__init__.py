"""The source that reads the files of ``cockroach debug zip``."""
