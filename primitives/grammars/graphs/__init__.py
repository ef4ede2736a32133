"""Graphs: expressions whose nodes choose their inputs among all earlier nodes, so that a node can be used twice."""
