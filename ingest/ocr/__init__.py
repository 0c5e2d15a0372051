"""Reading the text in the images of a collection: a pass of its own after the ingestion."""
