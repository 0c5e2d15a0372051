"""The image tower: EfficientNet-Lite0 with a lighter stem."""
