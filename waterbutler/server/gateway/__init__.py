"""The storage gateway API of odrive, in both of its vocabularies.

One set of handlers speaks both: what differs stands in `waterbutler.server.gateway.vocabulary`.
"""
