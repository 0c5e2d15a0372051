"""Images, captions and class names that the embedded model learns from."""
