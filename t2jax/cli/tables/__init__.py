"""Tables on the command line: the options with which one is read, and questions before it is fitted."""
