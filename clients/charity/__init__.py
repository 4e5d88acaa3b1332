"""The charity's client: gathers evidence, asks the quorum, checks everything, keeps what opened encrypted.

Believes neither broker nor key holder; knows no institution's source.
"""
