"""What is written in pictures, recognised."""
