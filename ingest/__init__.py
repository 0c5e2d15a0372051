"""The ingestion pipeline, from image files to rows of a collection."""
