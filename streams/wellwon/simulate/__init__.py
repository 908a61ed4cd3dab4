"""A simulated sales organisation whose every deal is labelled with what a hygiene check should say of it."""

from wellwon.simulate.label import Label
from wellwon.simulate.stream import Delivery, Simulation, simulate

__all__ = ["Delivery", "Label", "Simulation", "simulate"]
