"""Where images come from: folders and files, tar archives, Parquet files, object stores."""
