"""From trained modules to the files that the package ships."""
