"""A background process of the user that keeps a store open and its model loaded.

    holding.py  what it keeps: one connection to Milvus, a few encoders
    server.py   how it serves them
    start.py    starting it, asking after it, ending it

Two narrow seams go through it and nothing else: the store's `Connection` (store/remote.py) and the
model's `Encoder` (models/remote.py), by `clipsearch.link`. Whatever is wrong with the process, the
caller goes the direct way.
"""
