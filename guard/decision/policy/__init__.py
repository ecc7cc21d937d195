"""What a user may change: the rules, their shape in a file, and how they are applied to findings."""
