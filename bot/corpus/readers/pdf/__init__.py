"""PDF files, from letters with their places to blocks."""
