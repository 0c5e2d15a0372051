"""The HTTP API and the page of `clipsearch serve`; needs the extra `web`."""
