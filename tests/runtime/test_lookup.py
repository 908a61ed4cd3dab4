"""The partition of a deal, without asking a broker."""

from __future__ import annotations

from random import Random

from aiokafka.partitioner import DefaultPartitioner

from wellwon.runtime.lookup import partition_of


def test_a_deal_is_looked_for_where_the_clients_put_it() -> None:
    rng = Random(3)
    theirs = DefaultPartitioner()
    for partitions in (1, 2, 6, 12, 97):
        everything = list(range(partitions))
        for _ in range(200):
            deal = "".join(rng.choice("006SMabcÄ€0123456789") for _ in range(rng.randint(1, 30)))
            assert partition_of(deal, partitions) == theirs(deal.encode(), everything, everything)
