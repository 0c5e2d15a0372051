"""Results as tables, JSON, CSV, images, HTML, charts and terminal images.

Functions return their result or write the one file that they are given; none prints.
"""
