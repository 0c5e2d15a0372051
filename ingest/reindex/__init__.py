"""Building the next generation of a collection: with another model, or in another schema."""
