"""The same bytes on every x86-64 CPU: each step as this CPU likes it, and with all switched off that newer ones add."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OLD_CPU = {
    "OPENCV_CPU_DISABLE": "SSE4.1,SSE4.2,AVX,FP16,AVX2,FMA3,AVX512F,AVX512-SKX",
    "OPENCV_IPP": "disabled",
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",  # numpy passes over what this CPU has not
    "OPENBLAS_CORETYPE": "Nehalem",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX,-AVX2,-FMA,-FMA4,-AVX512F",
}
DRAWS = 3
GIVEN = {
    "resize": [{"width": 99, "height": 77, "mode": mode} for mode in ("stretch", "fit", "within", "fill")],
    "rotate": [{"degrees": 45}],
    "crop": [{}, {"left": 0.1, "right": 0.9}],
}


def _steps(of_albumentations: bool) -> Iterator[tuple[str, dict, object]]:
    """Every step that changes one image: name, arguments, the step. Of albumentations, every transform."""
    from shardsmith.transforms.albumentations.checks import names
    from shardsmith.transforms.base import FixedStep, RandomStep
    from shardsmith.transforms.catalogue import AUGMENT, PREPROCESS, build_steps
    from tests.test_albumentations import arguments_for

    given = {**GIVEN, "albumentations": [{name: arguments_for(name)} for name in names() if of_albumentations]}
    for catalogue in (PREPROCESS, AUGMENT):
        for name, kind in catalogue.items():
            if issubclass(kind, FixedStep | RandomStep) and name != "mosaic":
                for arguments in given.get(name, [{}]):
                    try:
                        yield name, arguments, build_steps([{name: arguments}], catalogue)[0]
                    except ValueError:  # an argument that only the other catalogue's step of that name has
                        assert arguments


def digests(as_in_a_stage: bool, of_albumentations: bool) -> dict[str, str]:
    """What was done -> a digest of the image and its objects."""
    import numpy as np

    from shardsmith.transforms.catalogue import Sample, perform
    from shardsmith.transforms.geometry.objects import Objects
    from shardsmith.transforms.run.recipe import prepare_process
    from tests.scenes import operations

    if as_in_a_stage:
        prepare_process()
    noise = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    pixels = noise.repeat(30, axis=0).repeat(30, axis=1) // 2 + np.arange(210, dtype=np.uint8)[:, None] // 2
    outlines = [None, "[[100,10,180,20,190,130,110,120]]"]
    sample = Sample(pixels, Objects.of([[20, 20.5, 70, 90], [100, 10, 190, 130]], outlines))
    found = {}
    for name, arguments, one in _steps(of_albumentations):
        for draw in range(DRAWS):
            todo = operations(one, draw)
            after = perform(sample, todo)
            said = json.dumps([todo, after.objects.boxes().tolist(), after.objects.segmentations()])
            found[f"{name} {arguments} {draw}"] = hashlib.sha256(after.pixels.tobytes() + said.encode()).hexdigest()
    return found


def on_two_cpus(**how: bool) -> list[dict[str, str]]:
    """The digests on this CPU and on an old one, by two processes at once."""
    code = f"import json; from tests.test_cpu import digests; print('>' + json.dumps(digests(**{how})))"
    kept = {name: value for name, value in os.environ.items() if name not in OLD_CPU}
    running = [
        subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=kept | cpu, text=True, stdout=subprocess.PIPE)
        for cpu in ({}, OLD_CPU)
    ]
    printed = [process.communicate()[0] for process in running]
    assert not any(process.returncode for process in running)
    return [json.loads(text.rsplit(">", 1)[1]) for text in printed]


@pytest.mark.slow
def test_an_older_cpu_makes_the_same_bytes() -> None:
    here, there = on_two_cpus(as_in_a_stage=True, of_albumentations=True)
    assert len(here) > 120 * DRAWS
    assert {name for name in here if here[name] != there[name]} == set()


@pytest.mark.slow
@pytest.mark.skipif("avx2" not in Path("/proc/cpuinfo").read_text(), reason="nothing to switch off")
def test_it_would_not_if_opencv_were_left_as_it_is() -> None:
    here, there = on_two_cpus(as_in_a_stage=False, of_albumentations=False)
    assert here != there
