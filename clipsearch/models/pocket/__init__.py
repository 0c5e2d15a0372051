"""The embedded model: small enough to be part of the package, no download, no torch."""
