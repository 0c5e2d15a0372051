"""Images that are not files of their own: members of archives, rows of Parquet, objects."""
