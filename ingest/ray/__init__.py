"""Ingestion on Ray Data: many processes or machines read, decode, encode and write images."""
