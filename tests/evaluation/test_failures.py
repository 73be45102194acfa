from aqa_pipeline.evaluation import failures


def test_absent_is_whoever_was_absent_at_any_stage():
    of = failures.OfDataset(
        videos=set("abcd"),
        failed={
            "a": [("absent", "no such file")],
            "b": [("extract_frames", "empty")],
            "c": [("extract_features", "too short"), ("absent", "no such feature file")],
        },
    )
    assert of.absent == {"a", "c"}
    failures.check({"dives": of}, {"dives": 0.5})  # one of the two that are there
