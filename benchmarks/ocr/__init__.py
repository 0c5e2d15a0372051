"""Recall, precision and time of reading the text in images, on images that are drawn here."""
