"""Optional: a model words the answer from the passages alone."""
