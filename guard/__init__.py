"""guard: a pre-flight guard for CockroachDB upgrades."""

__version__ = "0.1.0"
