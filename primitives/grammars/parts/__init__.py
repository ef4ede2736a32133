"""Parts: the templates of a grammar, with expressions that go in and come out."""
