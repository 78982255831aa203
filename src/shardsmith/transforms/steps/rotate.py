"""Rotate by any angle, by quarters, and shear."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from pydantic import Field

from shardsmith.transforms.base import Move, Operation, RandomStep, Sides, between, span, within
from shardsmith.transforms.geometry.frame import EDGES, EDGES_MEAN, Frame, about_centre, cos_and_sin

Turn = Literal["clockwise", "counter_clockwise", "upside_down"]


class Rotate(RandomStep):
    """Turn about the centre by a random angle; the size is kept."""

    degrees: float = Field(15, ge=0, le=180, description="the largest angle, either way")
    sides: Sides = Field("both", description="which way: both, or only plus (counter-clockwise) or minus (clockwise)")
    edges: str = Field("black", pattern=EDGES, description=EDGES_MEAN)

    def draw(self, rng: np.random.Generator) -> list[Operation]:
        return [("rotate", {"degrees": within(rng, self.degrees, self.sides), "edges": self.edges})]

    def in_words(self) -> str:
        return f"Rotation between {span(self.degrees, self.sides)} degrees"


class Shear(RandomStep):
    """Slant about the centre; the size is kept."""

    horizontal: float = Field(10, ge=0, le=45, description="the largest angle in degrees that upright lines lean")
    vertical: float = Field(10, ge=0, le=45, description="the largest angle in degrees that level lines lean")
    edges: str = Field("black", pattern=EDGES, description=EDGES_MEAN)

    def draw(self, rng: np.random.Generator) -> list[Operation]:
        drawn = {name: between(rng, -most, most) for name, most in self._angles().items()}
        return [("shear", {**drawn, "edges": self.edges})]

    def in_words(self) -> str:
        return f"Shear by up to ±{self.horizontal:g}° horizontally and ±{self.vertical:g}° vertically"

    def _angles(self) -> dict[str, float]:
        return {"horizontal": self.horizontal, "vertical": self.vertical}


class Rotate90(RandomStep):
    """Turn by 90 or 180 degrees; nothing is cut off."""

    probability: float = Field(0.5, ge=0, le=1, description="share of the copies that it is done to")
    turns: list[Turn] = Field(
        ["clockwise", "counter_clockwise"],
        min_length=1,
        description="one of them is drawn: clockwise, counter_clockwise, upside_down",
    )

    def draw(self, rng: np.random.Generator) -> list[Operation]:
        return [("rotate_90", {"turn": self.turns[int(rng.integers(len(self.turns)))]})]

    def in_words(self) -> str:
        words = {"clockwise": "90° clockwise", "counter_clockwise": "90° counter-clockwise", "upside_down": "180°"}
        return f"Rotation by {' or '.join(words[turn] for turn in self.turns)}"


def _rotate_frame(width_px: int, height_px: int, degrees: float, edges: str) -> Frame:
    """Counter-clockwise for positive angles."""
    cos, sin = cos_and_sin(degrees)
    return about_centre(width_px, height_px, cos, sin, -sin, cos)


def _shear_frame(width_px: int, height_px: int, horizontal: float, vertical: float, edges: str) -> Frame:
    b, c = (round(math.tan(math.radians(degrees)), 12) for degrees in (horizontal, vertical))
    return about_centre(width_px, height_px, 1, b, c, 1)


def _warped(pixels: np.ndarray, frame: Frame, edges: str, **_: object) -> np.ndarray:
    return frame.move_pixels(pixels, edges)


def _turn_frame(width_px: int, height_px: int, turn: Turn) -> Frame:
    if turn == "clockwise":
        return Frame(height_px, width_px, a=0, b=-1, tx=height_px, c=1, d=0)
    if turn == "counter_clockwise":
        return Frame(height_px, width_px, a=0, b=1, c=-1, d=0, ty=width_px)
    return Frame(width_px, height_px, a=-1, tx=width_px, d=-1, ty=height_px)


def _turned(pixels: np.ndarray, frame: Frame, turn: Turn) -> np.ndarray:
    import cv2

    codes = {
        "clockwise": cv2.ROTATE_90_CLOCKWISE,
        "counter_clockwise": cv2.ROTATE_90_COUNTERCLOCKWISE,
        "upside_down": cv2.ROTATE_180,
    }
    return cv2.rotate(pixels, codes[turn])


ROTATE = Move(_rotate_frame, _warped)
SHEAR = Move(_shear_frame, _warped)
ROTATE_90 = Move(_turn_frame, _turned)
