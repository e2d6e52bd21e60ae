"""The analysis of text: folding, sentences, words, names, numbers. It knows no files and no index."""
