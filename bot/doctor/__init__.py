"""`wenqu doctor`: whether each channel, and the model, is set up and does what it should."""
