"""The vector index of a collection: its kind, its settings, and the rows that it covers."""
