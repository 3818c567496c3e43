"""Training: the loop, and what belongs to it, one idea a file. Most need `train` alone:

trained = train("tfc", epochs=10)
trained.accuracy, trained.weights, trained.net
"""

from signflow.models.training.loop import Trained, train
from signflow.models.training.recipe import Recipe, RecipeError, read_recipe

__all__ = ["Recipe", "RecipeError", "Trained", "read_recipe", "train"]
