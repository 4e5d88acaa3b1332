"""The broker: receives signed records with locked envelopes, finds equal tags, raises alerts for the recipients.

It never holds an identifier, a record's content, or a key that opens an envelope.
"""
