"""Turns a question into evidence: it is understood, passages are retrieved and read, and it is answered or refused."""
