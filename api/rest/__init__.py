"""The REST doors, one file for each thing that can be asked about: parse, call one thing, shape the answer."""
