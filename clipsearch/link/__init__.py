"""The way to a warm process (see `clipsearch.warm`), which keeps a store open and its model loaded.

place.py    where it is found, and whether it is the user's own and made of the same code
wire.py     a greeting that never changes, then values
link.py     a command's session with it
"""
