from aqa_pipeline.shards import shard_of


def test_by_hand():
    # sha1("abc") = a9993e364706816aba3e25717850c26c9cd0d89d; its last hexadecimal digit decides modulo 16
    assert shard_of("abc", 16) == 0xD
    assert shard_of("abc", 1) == 0


def test_every_shard_gets_its_share():
    counts = [0] * 7
    for i in range(1400):
        counts[shard_of(f"dive_{i}", 7)] += 1
    assert sum(counts) == 1400
    assert min(counts) > 150
