"""What each command says: one document a command, words included."""
