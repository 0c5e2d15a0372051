"""The embedded model: part of the package, without a download and without torch."""
