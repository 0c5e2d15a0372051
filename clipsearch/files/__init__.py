"""Find and read image files, for ingestion, classification and evaluation."""
