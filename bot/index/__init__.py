"""Turns documents into a generation of the index: built beside the old one, published, verified, opened, searched."""
