"""The decision: a pure function from a snapshot and a step to a verdict with its reasons."""
