"""Do pictures of a word still hide the thing? `python -m benchmarks.textness FOLDER` measures it.

FOLDER holds a folder of photographs for each class. The words, fonts and photographs of the test are
none of the probe's, and neither's are those that taught the model that reads.
"""
