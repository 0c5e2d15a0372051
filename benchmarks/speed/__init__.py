"""Speed and memory: each command measures both sides in one run."""
