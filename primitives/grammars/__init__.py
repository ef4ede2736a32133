"""Grammars: declared sets of expressions that can be counted, enumerated, sampled, mutated and crossed over."""

from primitives.grammars.grammar import Grammar, grammar, grammar_names

__all__ = ["Grammar", "grammar", "grammar_names"]
