"""The field's methods on vectors made by hand: each expected number is worked out here from the paper's formula."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from ipcir_tools.composers import COMPOSERS, Parts, composer_named, fusion
from ipcir_tools.composers.adast import nearest_step
from ipcir_tools.composers.fusion import combine, pool, softmax

X, Y, Z, W = np.eye(4, dtype=np.float32)
AXES = np.eye(4, dtype=np.float32)


def unit(*numbers: float) -> np.ndarray:
    return np.array(numbers, np.float32) / np.float32(math.hypot(*numbers))


def compose(spec: str, weight: float = 0.5, **features: np.ndarray):
    return composer_named(spec).compose(Parts(weight=weight, **features))


def lone(*rows: np.ndarray) -> np.ndarray:
    return np.stack(rows)


# --- ensemble: q = sum w_i e_i, w = softmax(u / max u / T), u_i = max(cos(c_i, v), 0)


def test_an_ensemble_weighs_edits_by_how_well_their_captions_fit():
    # u = (1, 0.5), so u / max u / T = (2, 1) at T = 0.5, and the weights stand as e : 1.
    captions = lone(X, unit(1, math.sqrt(3), 0, 0))
    vector = compose("ensemble:temperature=0.5", captions=captions, edits=lone(Z, W), reference=X).vector
    assert vector[2] / vector[3] == pytest.approx(math.e, rel=1e-5)
    assert vector[:2] == pytest.approx([0, 0])


def test_an_ensembles_best_caption_is_the_measure_of_the_others():
    # u = (0.8, 0.4), so u / max u / T = (2, 1) again. Lengths play no part: u are cosines, of the picture as well.
    captions = lone(unit(4, 3, 0, 0), unit(2, math.sqrt(21), 0, 0))
    short = captions * np.array([[0.1], [3.0]], np.float32)
    for rows, reference in ((captions, X), (short, X), (captions, 3 * X)):
        vector = compose("ensemble:temperature=0.5", captions=rows, edits=lone(Z, W), reference=reference).vector
        assert vector[2] / vector[3] == pytest.approx(math.e, rel=1e-5)


def test_a_caption_against_the_picture_is_no_worse_than_one_beside_it():
    # u = (1, 0, 0): weights e^2, 1, 1.
    vector = compose("ensemble:temperature=0.5", captions=lone(X, -X, Y), edits=lone(X, Z, W), reference=X).vector
    assert vector == pytest.approx(unit(math.exp(2), 0, 1, 1), abs=1e-6)
    none_fits = compose("ensemble", captions=lone(-X, Y), edits=lone(Z, W), reference=X).vector
    assert none_fits == pytest.approx(unit(0, 0, 1, 1), abs=1e-6)


def test_an_ensemble_does_not_see_how_long_its_features_are():
    given = {"captions": lone(X, X), "reference": X}
    same = compose("ensemble", edits=lone(Z, W), **given).vector
    assert same == pytest.approx([0, 0, math.sqrt(0.5), math.sqrt(0.5)])
    assert compose("ensemble", edits=lone(5 * Z, W), **given).vector == pytest.approx(same)


@pytest.mark.parametrize("fit", [X, -X, Y, np.zeros(4, np.float32)])
def test_captions_that_fit_equally_well_count_the_same(fit):
    vector = compose("ensemble", captions=lone(fit, fit), edits=lone(Z, W), reference=X).vector
    assert vector == pytest.approx([0, 0, math.sqrt(0.5), math.sqrt(0.5)])


def test_a_low_temperature_follows_the_best_caption():
    captions = lone(X, unit(3, 1, 0, 0))
    vector = compose("ensemble:temperature=0.001", captions=captions, edits=lone(Z, W), reference=X).vector
    assert vector == pytest.approx(Z, abs=1e-6)


# --- semantic-delta: S = S_after + 2.1 min(D, 0) + 0.13 max(D, 0), D = S_after - S_before


def test_the_delta_holds_back_pictures_that_stayed_with_the_caption():
    probe = compose("semantic-delta", captions=lone(X), edits=lone(Y))
    pictures = lone(Y, X, unit(3, 4, 0, 0), unit(4, 3, 0, 0))
    # D:                 1   -1   0.8 - 0.6 = 0.2     0.6 - 0.8 = -0.2
    assert probe.score(pictures) == pytest.approx([1 + 0.13, 0 - 2.1, 0.8 + 0.026, 0.6 - 0.42])


def test_the_delta_takes_other_slopes():
    probe = compose("semantic-delta:neg=1:pos=0.22", captions=lone(X), edits=lone(Y))
    assert probe.score(lone(Y, X)) == pytest.approx([1.22, -1.0])


def test_an_edit_that_changes_nothing_is_searched_by_its_cosine():
    rows = lone(X, unit(1, 2, 0, 0))
    probe = compose("semantic-delta", captions=rows, edits=rows)
    middle = fusion.normalise(rows.sum(axis=0))
    assert probe.score(AXES) == pytest.approx(AXES @ middle, abs=1e-6)


def test_the_deltas_candidates_are_those_of_a_bound_that_the_score_never_exceeds():
    captions, edits = lone(X, unit(1, 1, 0, 0)), lone(Y, unit(0, 1, 1, 0))
    probe = compose("semantic-delta", captions=captions, edits=edits)
    pictures = fusion.normalise(np.random.default_rng(0).standard_normal((200, 4)).astype(np.float32))
    after, before = (fusion.normalise(rows.sum(axis=0)) for rows in (edits, captions))
    size = np.linalg.norm(1.13 * after - 0.13 * before)
    bound = size * (pictures @ probe.vector)
    reached = pictures @ after >= pictures @ before
    assert (probe.score(pictures) <= bound + 1e-5).all()
    assert probe.score(pictures)[reached] == pytest.approx(bound[reached], abs=1e-5)
    assert 20 < reached.sum() < 180


# --- discount: S = (1 + b) S_q - b (S_t - S_m), q = w t + (1 - w) v


def test_the_discount_is_one_vector():
    # w = 4/7 makes q = (0.8, 0, 0.6) of t = X and v = Z; (1 + 0.5) q - 0.5 X + 0.5 Y = (0.7, 0.5, 0.9).
    probe = compose("discount:b=0.5", weight=4 / 7, imagined=X, modification=Y, reference=Z)
    assert probe.rescore is None
    assert probe.vector == pytest.approx(unit(0.7, 0.5, 0.9, 0), abs=1e-6)


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_without_discount_it_is_the_plain_fusion(weight):
    features = {"imagined": unit(1, 2, 0, 0), "reference": unit(0, 1, 3, 0)}
    plain = compose("imagined+reference", weight, **features).vector
    assert compose("discount:b=0", weight, modification=W, **features).vector == pytest.approx(plain, abs=1e-6)


def test_a_text_that_only_repeats_the_modification_is_not_discounted():
    features = {"imagined": X, "reference": Z}
    plain = compose("imagined+reference", 0.85, **features).vector
    assert compose("discount", 0.85, modification=X, **features).vector == pytest.approx(plain, abs=1e-6)


def test_where_a_discount_leaves_nothing_the_fusion_searches():
    # q = t = X at weight 1, and (1 + 1) X - X - X = 0.
    assert compose("discount:b=1", 1.0, imagined=X, modification=-X, reference=Y).vector == pytest.approx(X)


# --- signed: S = whole S_t + desired S_add + preserve (S_keep + S_v) / 2 - forbidden S_remove

NOTHING = np.zeros(4, np.float32)


def test_roles_add_up_with_their_signs():
    probe = compose("signed", imagined=X, add=Y, keep=Z, remove=W, reference=Y)
    # X + 0.5 Y + 0.25 Z + 0.25 Y - 0.5 W
    assert probe.rescore is None
    assert probe.vector == pytest.approx(unit(1, 0.75, 0.25, -0.5), abs=1e-6)


def test_roles_take_other_weights():
    spec = "signed:whole=2:desired=0:preserve=4:forbidden=1"
    probe = compose(spec, imagined=X, add=Y, keep=Z, remove=W, reference=X)
    assert probe.vector == pytest.approx(unit(2 + 2, 0, 2, -1), abs=1e-6)


def test_without_roles_the_description_decides_alone():
    text = unit(1, 2, 3, 4)
    vector = compose("signed", imagined=text, add=NOTHING, keep=NOTHING, remove=NOTHING, reference=Y).vector
    assert vector == pytest.approx(text, abs=1e-6)
    roles = {"add": NOTHING, "keep": NOTHING, "remove": NOTHING}
    assert compose("signed:whole=0", imagined=text, reference=Y, **roles).vector == pytest.approx(text, abs=1e-6)


def test_what_is_forbidden_ranks_behind_what_is_neutral():
    probe = compose("signed", imagined=X, add=NOTHING, keep=NOTHING, remove=W, reference=Y)
    plain, with_it = probe.score(lone(unit(1, 0, 1, 0), unit(1, 0, 0, 1)))
    assert plain > with_it


# --- ast: S = S_t + 4 [S_t - S_v + 0.1 >= 0] S_t S_f, f = v + alpha (t - c)


def test_the_proxy_moves_the_picture_the_way_its_caption_went():
    # The best step is beyond beta, so alpha = 0.25: f = (0, 0, 1, 0) + 0.25 (X - Y), of length sqrt(1.125).
    probe = compose("ast", imagined=X, caption=Y, reference=Z)
    f = np.array([0.25, -0.25, 1, 0]) / math.sqrt(1.125)
    picture = unit(2, 0, 1, 0)
    s_t, s_f = 2 / math.sqrt(5), float(picture @ f)
    # S_t - S_v + 0.1 = (2 - 1) / sqrt(5) + 0.1 >= 0
    assert probe.score(lone(picture)) == pytest.approx([s_t + 4 * s_t * s_f], rel=1e-5)


def test_the_proxy_does_not_count_for_pictures_nearer_to_the_reference():
    probe = compose("ast", imagined=X, caption=Y, reference=Z)
    # 0.6 - 0.8 + 0.1 < 0: the text alone. 0.68 - 0.73 + 0.1 >= 0: the proxy counts.
    out, within = unit(3, 0, 4, 0), unit(0.68, 0, 0.73, 0)
    scores = probe.score(lone(out, within))
    assert scores[0] == pytest.approx(0.6)
    assert scores[1] > 2 * float(within[0])


def test_the_candidates_follow_the_slope_at_the_proxy():
    # cos(t, f) = 0.25 / sqrt(1.125), so 5 t + 4 cos(t, f) f = 5 X + (1 / 1.125) (0.25, -0.25, 1, 0).
    vector = compose("ast", imagined=X, caption=Y, reference=Z).vector
    assert vector == pytest.approx(unit(47, -2, 8, 0), abs=1e-6)
    # At lam = 1 and beta = 1: f = (1, -1, 1, 0) / sqrt(3), and 2 X + (1, -1, 1, 0) / 3.
    vector = compose("ast:lam=1:beta=1", imagined=X, caption=Y, reference=Z).vector
    assert vector == pytest.approx(unit(7, -1, 1, 0), abs=1e-6)


def test_a_proxy_against_the_text_takes_no_part_in_the_candidates():
    text = unit(-3, 4, 0, 0)  # no edit, so f = v = X, at a cosine of -0.6
    assert compose("ast", imagined=text, caption=text, reference=X).vector == pytest.approx(text, abs=1e-6)


def test_the_border_itself_counts():
    # S_t - S_v = 0 at mu = 0; without an edit f = v.
    probe = compose("ast:mu=0:lam=2", imagined=X, caption=X, reference=Z)
    half = math.sqrt(0.5)
    assert probe.score(lone(unit(1, 0, 1, 0))) == pytest.approx([half + 2 * half * half], rel=1e-5)


def test_the_border_can_be_moved():
    strict, always = (compose(f"ast:mu={mu}", imagined=X, caption=Y, reference=Z) for mu in (0, 2))
    picture = lone(unit(3, 0, 4, 0))
    assert strict.score(picture) == pytest.approx([0.6])
    assert always.score(picture)[0] > 0.6


def test_without_an_edit_the_proxy_is_the_picture():
    text, v = unit(1, 1, 0, 0), unit(0, 1, 1, 0)
    probe = compose("ast:mu=2", imagined=text, caption=text, reference=v)
    pictures = lone(X, Y, unit(1, 2, 3, 4))
    s_t, s_v = pictures @ text, pictures @ v
    assert probe.score(pictures) == pytest.approx(s_t + 4 * s_t * s_v, rel=1e-5)


def test_the_step_is_the_closed_form_within_its_bound():
    t, c, v = X, Y, unit(3, 4, 0, 0)
    # A = 0.6, B = 1, C = 0.6 - 0.8, D = 2: alpha = (1 + 0.12) / (1.2 + 0.2) = 0.8, where v + 0.8 (X - Y) = 1.4 X.
    assert nearest_step(t, c, v, beta=1.0) == pytest.approx(0.8)
    assert nearest_step(t, c, v, beta=0.25) == pytest.approx(0.25)


def test_where_the_closed_form_is_the_minimum_an_end_is_taken():
    # v lies against text and caption: v.t + v.c = -1.2, and the level point is (1 - 0.36) / (-1.2) = -0.53.
    t, c, v = X, Y, unit(-3, -3, math.sqrt(7), 0)
    steps = np.linspace(-1, 1, 401)
    cosines = [float(fusion.normalise(v + np.float32(step) * (t - c)) @ t) for step in steps]
    chosen = nearest_step(t, c, v, beta=1.0)
    assert chosen == 1.0
    assert float(fusion.normalise(v + chosen * (t - c)) @ t) == pytest.approx(max(cosines), abs=1e-6)


def test_where_the_cosine_falls_all_the_way_the_lower_end_is_taken():
    # A = -0.8, B = 0.04, C = -0.2, D = 0.08: level at (0.04 - 0.16) / (-0.064 + 0.008) = 2.14, which is a minimum.
    # So the cosine falls from v - 0.5 (t - c) = (1.1, 0.1) over v to v + 0.5 (t - c) = (0.9, -0.1).
    t, c, v = unit(-4, 3, 0, 0), unit(-3, 4, 0, 0), X
    assert nearest_step(t, c, v, beta=0.5) == -0.5


def test_where_nothing_is_edited_there_is_no_step():
    assert nearest_step(X, X, unit(3, 4, 0, 0), beta=0.25) == 0.0


@given(npst.arrays(np.float32, (3, 4), elements=st.floats(-1, 1, width=16)), st.floats(0, 1))
def test_no_step_within_the_bound_is_better(rows, beta):
    t, c, v = fusion.normalise(rows)

    def cosine(step: float) -> float:
        return float(fusion.normalise(v + np.float32(step) * (t - c)) @ t)

    chosen = nearest_step(t, c, v, beta)
    assert abs(chosen) <= beta
    assert all(cosine(chosen) >= cosine(step) - 1e-3 for step in np.linspace(-beta, beta, 21))


# --- proxy-image: f = s (max f_aug / max f_src) f_src + t (max f_aug / max D) D + a f_aug
#     S = lam S_text + (1 - lam) S_proxy S_text


def test_the_robust_proxy_brings_its_three_parts_to_one_peak():
    parts = Parts(
        weight=0.5,
        reference=unit(3, 4, 0, 0),  # peak 0.8
        captions=lone(Y, Y),
        edits=lone(X, X),  # D = (1, -1, 0, 0), peak 1
        drawn=lone(Z, W),  # f_aug = (0, 0, 0.5, 0.5), peak 0.5
    )
    # 0.5 / 0.8 (0.6, 0.8, 0, 0) + 0.5 (1, -1, 0, 0) + (0, 0, 0.5, 0.5) = (0.875, 0, 0.5, 0.5)
    proxy = composer_named("proxy-image").proxy(parts)
    assert proxy == pytest.approx(unit(0.875, 0, 0.5, 0.5), abs=1e-6)
    # twice the reference, no change in words: (0.75, 1, 0.5, 0.5)
    assert composer_named("proxy-image:s=2:t=0").proxy(parts) == pytest.approx(unit(0.75, 1, 0.5, 0.5), abs=1e-6)
    # the reference left out, the drawn pictures threefold: (0.5, -0.5, 1.5, 1.5)
    assert composer_named("proxy-image:s=0:a=3").proxy(parts) == pytest.approx(unit(1, -1, 3, 3), abs=1e-6)


def proxy(**changes: np.ndarray) -> np.ndarray:
    given = {"reference": X, "imagined": Y, "captions": lone(Y), "edits": lone(Y), "drawn": lone(Z)}
    return composer_named("proxy-image").proxy(Parts(weight=0.5, **given | changes))


def test_a_peak_is_the_largest_number_and_not_the_largest_distance():
    # 1 / 0.6 (0.6, -0.8, 0, 0) + Z
    assert proxy(reference=unit(3, -4, 0, 0)) == pytest.approx(unit(3, -4, 3, 0), abs=1e-6)
    # f_aug = (0, 0, -0.5, -0.5) has nothing above zero, so its peak is 0.5: 0.5 X + f_aug
    assert proxy(drawn=lone(-Z, -W)) == pytest.approx(unit(1, 0, -1, -1), abs=1e-6)


def test_a_part_of_the_proxy_that_is_nothing_leaves_the_others_as_they_are():
    # Drawn pictures that cancel each other out: X + (W - Y).
    assert proxy(drawn=lone(Z, -Z), edits=lone(W)) == pytest.approx(unit(1, -1, 0, 1), abs=1e-6)
    # A change of rounding alone is none: X + Z, and not X + X + Z.
    assert proxy(edits=lone(Y + np.float32(1e-7) * X)) == pytest.approx(unit(1, 0, 1, 0), abs=1e-6)


def test_the_balanced_similarity_is_a_product():
    parts = {"reference": Z, "imagined": X, "captions": lone(X), "edits": lone(X), "drawn": lone(Z)}
    probe = compose("proxy-image:lam=0.3", **parts)  # D = 0, so the proxy is Z and the text X
    assert probe.score(lone(unit(3, 0, 4, 0), X, Z)) == pytest.approx([0.3 * 0.6 + 0.7 * 0.8 * 0.6, 0.3, 0])
    assert compose("proxy-image:lam=1", **parts).score(AXES) == pytest.approx(AXES @ X)


def test_the_candidates_follow_the_slope_of_the_product():
    text = unit(1, 0, 1, 0)
    given = {"reference": Y, "imagined": text, "captions": lone(Y), "edits": lone(text)}
    # text + (1 - lam) cos(text, f) f with f = Z: (1, 0, 1, 0) + 0.8 Z, both times sqrt(0.5)
    assert compose("proxy-image:s=0:t=0:lam=0.2", drawn=lone(Z), **given).vector == pytest.approx(unit(1, 0, 1.8, 0))
    # f = -Z is against the text, and takes no part
    assert compose("proxy-image:s=0:t=0", drawn=lone(-Z), **given).vector == pytest.approx(text)


# --- the trained ones hand on what their networks gave


@pytest.mark.parametrize(("name", "more"), [("pic2word", ()), ("searle", ()), ("aligned", ("imagined",))])
def test_a_networks_feature_is_the_query(name, more):
    given = {"reference": X, "network": Y, **dict.fromkeys(more, Z)}
    assert compose(name, **given).vector is given["network"]


# --- what holds for all


def features(rows: int):
    return npst.arrays(np.float32, (rows, 6), elements=st.sampled_from([0.0, 0.0, 1.0, -1.0, 0.5, -0.3, 1e-7]))


def parts_from(rows: np.ndarray, several: np.ndarray, weight: float) -> Parts:
    single = ("reference", "modification", "imagined", "caption", "before", "add", "keep", "remove", "network")
    vectors = dict(zip(single, fusion.normalise(rows), strict=True))
    many = fusion.normalise(several).reshape(3, -1, 6)
    lookups = dict.fromkeys(("gallery_captions", "counterparts"), lambda ids: {})
    return Parts(weight=weight, captions=many[0], edits=many[1], drawn=many[2], **vectors, **lookups)


@pytest.mark.parametrize("name", COMPOSERS)
@given(rows=features(9), several=st.integers(0, 3).flatmap(lambda n: features(3 * n)), weight=st.floats(0, 1))
def test_every_score_is_finite_whatever_the_features_are(name, rows, several, weight):
    """Zeros, opposites and empty lists among them."""
    probe = COMPOSERS[name].compose(parts_from(rows, several, weight))
    scores = probe.score(fusion.normalise(np.concatenate([rows, -rows, np.zeros_like(rows[:1])])))
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()
    assert np.linalg.norm(probe.vector) == pytest.approx(1, abs=1e-4) or not probe.vector.any()


RESCORING = ("semantic-delta", "ast", "proxy-image")


@pytest.mark.parametrize("name", RESCORING)
def test_the_candidates_of_a_rule_that_is_not_linear_hold_its_best(name):
    """Texts and pictures as CLIP puts them: each in a cone of its own, in 4,000 pictures; a hundred candidates."""
    rng = np.random.default_rng(7)

    def cone(n: int, axis: int) -> np.ndarray:
        return fusion.normalise(np.eye(64)[axis] * 6 + rng.standard_normal((n, 64))).astype(np.float32)

    pictures, texts = cone(4_000, 0), cone(8, 1)
    texts = fusion.normalise(texts + 0.4 * pictures[:8])
    probe = COMPOSERS[name].compose(
        Parts(
            weight=0.5, reference=pictures[1], imagined=texts[0], caption=texts[1], captions=texts[1:2],
            edits=texts[:1], drawn=fusion.normalise(pictures[:1] + 0.5 * pictures[2:3]),
        )
    )  # fmt: skip
    best = np.argsort(-probe.score(pictures))[:10]
    candidates = np.argsort(-(pictures @ probe.vector))[:100]
    assert set(best) <= set(candidates)
    assert probe.rescore is not None


@pytest.mark.parametrize("name", [name for name in COMPOSERS if name not in RESCORING])
def test_a_linear_rule_is_one_query(name):
    rng = np.random.default_rng(1)
    rows, several = rng.standard_normal((9, 6)), rng.standard_normal((6, 6))
    assert COMPOSERS[name].compose(parts_from(rows, several, 0.5)).rescore is None


# --- the sums beneath


def test_a_sum_that_cancels_out_leaves_the_other_direction():
    assert combine(2 * Y, (1.0, X), (-1.0, X)) == pytest.approx(Y)
    assert combine(Y, (0.0, X)) == pytest.approx(Y)
    assert combine(Y, (3.0, X), (4.0, Z)) == pytest.approx(unit(3, 0, 4, 0))


def test_a_mean_that_cancels_out_is_its_first():
    assert pool(lone(X, -X)) == pytest.approx(X)
    assert pool(np.zeros((0, 4), np.float32)).tolist() == [0, 0, 0, 0]
    assert pool(lone(X, 9 * Y)) == pytest.approx(unit(1, 1, 0, 0))
    assert pool(lone(X, Y), np.array([3.0, 4.0])) == pytest.approx(unit(3, 4, 0, 0))


def test_a_softmax_sums_to_one_however_large_its_numbers_are():
    assert softmax(np.array([0.0, math.log(3)])) == pytest.approx([0.25, 0.75])
    assert softmax(np.array([1e6, 0.0])) == pytest.approx([1, 0])
    assert softmax(np.zeros(0)).shape == (0,)
