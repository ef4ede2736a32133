"""What a candidate is made of: the immutable graph, its text form, evaluation and derivative."""
