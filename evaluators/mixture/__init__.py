"""Mixtures: one network whose activation is a weighted sum of all operators of a grammar's form, place by place.

Training it drops operators until one is left in each slot (Strack, Safari, Hutter 2024, GRAFS, arXiv 2408.06820).
"""
