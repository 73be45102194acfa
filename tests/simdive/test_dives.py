import numpy as np

from aqa_pipeline.simdive.dives import draw_dive, stream


def test_a_dive_depends_on_seed_and_index_alone():
    late = draw_dive(4, 7)
    for i in range(3):
        draw_dive(4, i)
    again = draw_dive(4, 7)
    assert late.number == again.number
    assert late.verdict == again.verdict
    assert late.video_id == again.video_id
    times = np.array([0.3, 1.1])
    assert np.array_equal(late.performance.keypoints(times), again.performance.keypoints(times))
    other = draw_dive(5, 7)
    assert other.performance.truth() != late.performance.truth()
    assert other.video_id != late.video_id
    assert draw_dive(4, 8).performance.truth() != late.performance.truth()


def test_streams_do_not_repeat_each_other():
    first = [stream(1, 2, name).random() for name in ("motion", "judges", "pictures")]
    assert len(set(first)) == 3
    assert first == [stream(1, 2, name).random() for name in ("motion", "judges", "pictures")]


def test_better_divers_score_better():
    dives = [draw_dive(1, i) for i in range(60)]
    skill, execution = (
        np.array([d.skill for d in dives]),
        np.array([d.verdict.true_execution for d in dives]),
    )
    assert np.corrcoef(skill, execution)[0, 1] > 0.3


def test_a_fault_that_is_put_in_leaves_all_else_as_it_was():
    plain, faulty = draw_dive(4, 7, other_faults=0.5), draw_dive(4, 7, other_faults=0.5, inject={"arms": 50.0})
    assert faulty.performance.truth() == plain.performance.truth() | {"arms": 50.0}
    assert faulty.number == plain.number
    assert faulty.verdict.true_execution < plain.verdict.true_execution
    assert plain.performance.truth()["lean"] == 0.5 * draw_dive(4, 7).performance.truth()["lean"]
    before = [dive.performance.keypoints(np.array([0.0, 0.2])) for dive in (plain, faulty)]
    np.testing.assert_allclose(*before, atol=1e-9)  # the arms come out of line at the end
