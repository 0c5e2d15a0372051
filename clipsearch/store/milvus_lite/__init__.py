"""Milvus Lite: its process, its lock, its file, and the redo log of its writes."""
