"""The trained reader: which sentence of a passage answers, which words of it, or that none does."""
