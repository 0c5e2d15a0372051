"""Projection heads that map both towers into one embedding space."""
