"""What a browser or an HTTP client meets."""
