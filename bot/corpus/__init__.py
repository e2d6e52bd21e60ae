"""Turns a folder into documents: which files are there, what each one says, and how it is cut into passages."""
