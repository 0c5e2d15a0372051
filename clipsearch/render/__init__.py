"""What search results look like: text, contact sheets, terminal previews, notebook thumbnails.

Every function returns its result or writes the one file that it was given; none prints.
"""
