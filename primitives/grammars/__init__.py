"""Grammars: declared sets of expressions, to count, enumerate, sample, mutate, cross over and turn into vectors."""

from primitives.grammars.decisions import Decision
from primitives.grammars.grammar import Grammar, grammar, grammar_names, is_pinned, pinned_grammar

__all__ = ["Decision", "Grammar", "grammar", "grammar_names", "is_pinned", "pinned_grammar"]
