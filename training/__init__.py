"""Building the embedded model; nothing here is imported when the library runs."""
