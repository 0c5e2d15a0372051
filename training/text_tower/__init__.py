"""The text tower: MiniLM-L6, its last layers tuned on captions."""
