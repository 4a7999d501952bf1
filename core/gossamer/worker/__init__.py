"""The process that hosts talk to over its standard input and output."""
