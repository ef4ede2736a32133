"""When two expressions are the same function: canonical form, classes, known built-ins and neighbours."""
