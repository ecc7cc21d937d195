"""Many clusters at once."""
