"""Results for people and programs: tables, JSON and CSV, images, HTML, charts, terminal images.

Functions return their result or write the one file that they are given; none prints.
"""
