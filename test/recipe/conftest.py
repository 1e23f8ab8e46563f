"""Fixtures of the tests of a whole recipe: a new recipe, and one that was run."""

import pytest
from mini_recipe import ENCODER, LLM, Output, Recipe, choose_prompts


@pytest.fixture(scope="session")
def recipe(tmp_path_factory, asterisk_data, installed_model) -> Recipe:
    """A new recipe with data for 16, 4 and 4 prompts, and ``data/many`` with 230 short ones.

    No test changes it: they work in clones.
    """
    installed_model(ENCODER)
    installed_model(LLM)
    prompts = {
        "train": choose_prompts(asterisk_data / "train", 16, 1, 4, min_words=3),
        "valid": choose_prompts(asterisk_data / "valid", 4, 1, 4, min_words=3),
        "test": choose_prompts(asterisk_data / "test", 4, 1, 4, min_words=3),
        "many": choose_prompts(asterisk_data / "train", 230, 0.2, 2.5),
    }
    assert [len(utterances) for utterances in prompts.values()] == [16, 4, 4, 230]
    return Recipe.make(tmp_path_factory.mktemp("recipe") / "new", prompts)


@pytest.fixture(scope="session")
def finished(recipe) -> tuple[Recipe, Output]:
    """A recipe after ``./run.sh``, undisturbed, and what was printed."""
    done = recipe.clone()
    return done, done.run().must_succeed()


@pytest.fixture
def clone(finished) -> Recipe:
    """A copy of the finished recipe for a test to do with as it likes."""
    return finished[0].clone()


@pytest.fixture
def new_recipe(recipe) -> Recipe:
    """A recipe in which nothing has been run yet."""
    return recipe.clone()
