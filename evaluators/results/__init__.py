"""The results of workers: records, reasons of rejection, and their JSON."""
