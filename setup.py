"""Installs vitron_ros: with pip into a virtual environment, with colcon into a workspace."""

from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

NAME = "vitron_ros"


class BuildPackage(build_py):
    """Adds the texts of the interface package, which bags and `vitron doctor` need at run time."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:  # an editable install finds them in the checkout
            folder = Path(self.build_lib, NAME, "assets", "msg")
            for pattern in ("*.msg", "action/*.action", "srv/*.srv"):
                for text in sorted(Path("msg").glob(pattern)):
                    self.mkpath(str((folder / text.relative_to("msg")).parent))
                    self.copy_file(str(text), str(folder / text.relative_to("msg")))


setup(
    name=NAME,
    cmdclass={"build_py": BuildPackage},
    version="0.1.0",
    description="Real-time, language-commanded perception for ROS 2",
    long_description=Path("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="vitron_ros maintainers",
    author_email="maintainers@vitron-ros.org",
    maintainer="vitron_ros maintainers",
    maintainer_email="maintainers@vitron-ros.org",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={
        NAME: [
            "py.typed",
            "assets/**/*",
            "evaluation/page.html",
            "evaluation/paper_tables.yaml",
            "model/zoo.yaml",
            "model/prompt_profiles/*.yaml",
            "ros/*.xml",
        ]
    },
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        (f"share/{NAME}/hook", ["resource/commands.dsv"]),  # with colcon.pkg: `vitron` is found in a workspace
        (f"share/{NAME}/launch", [str(path) for path in Path("launch").glob("*.launch.py")]),
        (f"share/{NAME}/launch", [str(path) for path in Path("launch").glob("*.json")]),
        (f"share/{NAME}/launch/behavior_trees", [str(path) for path in Path("launch/behavior_trees").glob("*.xml")]),
        (f"share/{NAME}/launch/params", [str(path) for path in Path("launch/params").glob("*.yaml")]),
    ],
    install_requires=[
        "av>=14",
        "backports.zstd>=1; python_version < '3.14'",
        "filelock>=3.12",
        "httpx2>=2.0",
        "huggingface_hub>=2.4",
        "mcap>=1.2",
        "mcap-ros2-support>=0.5",
        "numba>=0.57",
        "numpy>=1.24",
        "opencv-contrib-python-headless>=4.8",
        "psutil>=5.9",
        "pycocotools>=2.0.8",
        "pyyaml>=6",
        "rosbags>=0.11",
        "safetensors>=0.4",
        "scipy>=1.10",
        "tokenizers>=0.20",
        "torch>=2.6",
        "tqdm>=4.60",
        "transformers>=5.0",
    ],
    extras_require={
        "ros-wheels": [
            "ros-rclpy[fastrtps]",
            "ros-diagnostic-msgs",
            "ros-geometry-msgs",
            "ros-sensor-msgs",
            "ros-std-srvs",
            "ros-visualization-msgs",
        ],
        "diffusers": ["accelerate>=1.2", "diffusers>=0.42; python_version >= '3.11'", "ftfy>=6.1"],
        "engines": ["onnx>=1.16", "onnxruntime>=1.20", "onnxscript>=0.3"],
        "evaluation": ["jinja2>=3.1", "matplotlib>=3.8", "pillow>=10"],
        "lora": ["peft>=0.18"],
        "meteor": ["pycocoevalcap>=1.2"],
        "quantise": ["torchao>=0.14"],
        "sentencepiece": ["sentencepiece>=0.2"],
        "tensorboard": ["tensorboard>=2.16"],
        "tensorrt-rtx": ["tensorrt-rtx>=1.7"],
    },
    entry_points={
        "console_scripts": [
            f"vitron = {NAME}.cli.main:main",
            f"perception = {NAME}.ros.perception_node:main",
            f"segmentation = {NAME}.ros.module_node:segmentation",
            f"editing = {NAME}.ros.module_node:editing",
            f"generation = {NAME}.ros.module_node:generation",
            f"command = {NAME}.ros.command_node:main",
            f"follow = {NAME}.ros.follow_node:main",
            f"rig = {NAME}.ros.rig_node:main",
            f"bag_player = {NAME}.ros.bag_player:main",
        ],
    },
    zip_safe=False,
)
