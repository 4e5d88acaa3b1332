"""The auditor's client: an own verified copy of the broker's log, and everything that follows from it."""
