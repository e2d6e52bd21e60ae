"""`wenqu doctor`: whether each channel and the language model are set up and work."""
