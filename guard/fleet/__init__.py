"""Many clusters at once: which of them can take the step, and what stands in the way of the others."""
