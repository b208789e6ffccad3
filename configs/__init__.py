"""One file a run or a study; each opens with its command, expected time and expected accuracy."""
