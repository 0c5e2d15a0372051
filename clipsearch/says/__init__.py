"""Searching for words that are written in images: parsing, matching and finding."""
