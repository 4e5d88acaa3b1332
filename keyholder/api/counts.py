"""The signed daily counts, for everybody who is enrolled."""

from __future__ import annotations

from keyholder.counts import daily_counts
from keyholder.holder import Holder
from wire.access import signed
from wire.messages.counts import CountsQuery, DailyCountsList
from wire.resources import Resource


def counts_resource(holder: Holder) -> Resource:
    """`/v1/counts`."""
    resource = Resource("counts", "counts", description="What was evaluated for whom, day by day")

    @resource.route("/v1/counts")
    @signed("institution", "recipient", "holder", "broker", "auditor", action="read-counts")
    @resource.arguments(CountsQuery, location="query")
    @resource.response(200, DailyCountsList)
    def read_counts(query: CountsQuery) -> DailyCountsList:
        """Answer with the signed counts of closed days, chained by day."""
        return daily_counts(holder, query.first_day or "")

    return resource
