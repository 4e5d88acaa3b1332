"""The programs of those who use the services: institutions and the charity, and how identifiers are normalised.

Nothing here is imported by a service.
"""
