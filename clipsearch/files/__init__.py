"""Finding and reading image files; for ingestion, classification and evaluation."""
