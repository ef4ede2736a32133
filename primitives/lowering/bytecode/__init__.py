"""Bytecode: some expressions as a table of numbers, which an interpreter in a compiled language runs.

opcodes.py    the table of opcodes
program.py    from expressions to a program
"""
