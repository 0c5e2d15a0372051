"""Building the next generation of a collection: by another model, or in another schema."""
