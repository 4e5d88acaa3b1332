"""Decisions: what may be done under an agreement, by the Cedar rules of policies/rules, recorded so that they replay.

One function, `decide`, for every party. Knows no request, no database and no clock.
"""
