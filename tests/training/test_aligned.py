"""The alignment: what it learns, and how much of it is used."""

from __future__ import annotations

import numpy as np
from quick_trainings import aligned, mirrored

from ipcir_tools.composers import fusion
from ipcir_tools.composers.aligned import move_proxies
from ipcir_tools.models.network import load_network
from ipcir_tools.training.aligned import AlignedTraining


def test_an_alignment_moves_proxies_to_their_targets(encoder, tmp_path):
    report = aligned(encoder, None, tmp_path)
    proxies, targets = mirrored(300)
    new = slice(200, 300)
    moved = move_proxies(load_network(tmp_path, "aligned", encoder.space), proxies[new])
    assert (moved @ targets[new].T).argmax(axis=1).tolist() == list(range(100))
    assert report.before < 0.2
    assert report.after > 0.9


def test_an_alignment_without_a_gain_leaves_the_proxies_as_they_are(encoder, tmp_path):
    proxies = mirrored()[0]
    report = AlignedTraining(steps=20, rate=0.1).fit(encoder.space, proxies, proxies, tmp_path)
    assert report.before == report.after == 1.0
    network = load_network(tmp_path, "aligned", encoder.space)
    assert network.config.scale_out == 0
    np.testing.assert_allclose(move_proxies(network, proxies), proxies, atol=1e-6)


def test_how_far_an_alignment_goes_is_found_on_triplets_that_it_has_not_seen(encoder, tmp_path):
    """The network learns a mirror well, and the last fifth, which is held out, needs none."""
    proxies, targets = mirrored()
    targets[160:] = proxies[160:]
    how = {"steps": 120, "batch": 50, "rate": 1e-2, "dropout": 0.0, "hidden": 64}
    report = AlignedTraining(**how).fit(encoder.space, proxies, targets, tmp_path)
    assert report.losses[-1] < 0.5 * report.losses[0]
    assert (report.before, report.after) == (1.0, 1.0)
    assert load_network(tmp_path, "aligned", encoder.space).config.scale_out == 0


def test_what_an_alignment_is_worth_is_measured_among_the_gallery(encoder, tmp_path):
    proxies, targets = mirrored()
    twins = fusion.normalise(0.9 * proxies + 0.1 * targets)  # each nearer to its proxy than the target is
    report = AlignedTraining(steps=1).fit(encoder.space, proxies, proxies, tmp_path, gallery=proxies)
    assert report.before == 1.0  # a picture that is the target itself is no rival
    report = AlignedTraining(steps=1, rate=0.0).fit(encoder.space, proxies, targets, tmp_path, gallery=twins)
    assert report.before < AlignedTraining(steps=1, rate=0.0).fit(encoder.space, proxies, targets, tmp_path).before
