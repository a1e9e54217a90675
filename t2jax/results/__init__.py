"""Result files of evaluation tools, read into one table of questions, losses or scores."""
