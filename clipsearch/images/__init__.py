"""Decode image files to upright 8-bit sRGB pixels; the only user of Pillow's decoders."""
