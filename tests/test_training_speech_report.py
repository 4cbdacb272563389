"""The encoder's report: which frames count, and what "right" means."""

import numpy as np

from training.speech_corpus import Utterance
from training.speech_phones import INDEX, PHONES
from training.speech_report import CLASSES, class_table, frame_labels, heard_right, table


def test_every_phone_is_in_one_class():
    members = [phone for group in CLASSES.values() for phone in group.split()]
    assert sorted(members) == sorted(PHONES)
    assert class_table()[INDEX["M"]] == class_table()[INDEX["P"]] != class_table()[INDEX["N"]]


def test_a_frame_that_two_phones_share_does_not_count():
    labels = frame_labels(np.array([[0.0, 0.05, 3.0], [0.05, 0.1, 4.0]]), 6)
    np.testing.assert_array_equal(labels, [3, 3, -1, 4, 4, -1])


def test_a_p_heard_as_an_m_is_the_wrong_phone_of_the_right_class(monkeypatch):
    monkeypatch.setattr("training.speech_report.hear", lambda encoder, samples: np.full(5, INDEX["M"]))
    spoken = Utterance("name", "corpus/person", np.zeros(1600, np.int16), np.array([[0.0, 0.1, INDEX["P"]]]))
    total, phone, kind = heard_right(None, [spoken], None)
    closed = list(CLASSES).index("lips closed")
    assert (total[closed], phone[closed], kind[closed]) == (5, 0, 5)
    assert total.sum() == 5


def test_the_table_leaves_out_what_was_hardly_heard():
    counts = np.zeros((3, len(CLASSES)))
    counts[:, 0], counts[:, 1] = (200, 150, 180), (60, 30, 45)
    row = table({"corpus": (7, counts, counts)}).splitlines()[2]
    assert row.startswith("| corpus | 7 | clean | 50 / 75 | 75 / 90 | 50 / 75 |  |")
