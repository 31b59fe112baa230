"""rotators."""
