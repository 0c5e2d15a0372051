"""Measure how far textness separates images of a word from images of the object it names.

`python -m benchmarks.textness FOLDER`: FOLDER has one folder of images for each class. The words,
fonts and images of the test are used neither to fit the probe nor to train the reading model.
"""
