"""Copying collections between stores, and to and from Parquet files."""
