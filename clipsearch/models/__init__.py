"""Encoders: open_clip, ALIGN, the embedded model, plug-ins; their runtimes and exports."""
