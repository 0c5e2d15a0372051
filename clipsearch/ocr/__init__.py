"""Text that is written in images: recognizing it, and its form for searching."""
