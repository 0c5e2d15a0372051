"""The reading head: a small network that recognizes words in images."""
