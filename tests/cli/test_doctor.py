"""What the doctor says of machines that lack something, and that it needs nothing but Python itself."""

import json
import os
import subprocess
import venv
from pathlib import Path

import pytest

from vitron_ros import doctor
from vitron_ros.cli import doctor as command
from vitron_ros.cli.main import main
from vitron_ros.cli.module_probe import Found, find_modules
from vitron_ros.doctor import MIB, Check, Package
from vitron_ros.interfaces import interface_texts
from vitron_ros.ros.transport import PROFILE, profile_variable, transport_environment

ROOT = Path(__file__).parents[2]
RCLPY = Package(name="rclpy", version="9.1.2")
MESSAGES = Package(name="vitron_msgs", version="0.1.0")
TEXTS = {"vitron_msgs/msg/Track": "# one\nuint64 id  # 1 and up\n\nfloat32[4] box\n"}
TORCH = Package(name="torch", version="2.13.0")
TENSORRT = Package(name="tensorrt", version="10.0")
BROKEN = Package(name="torch", version="2.13.0", error="OSError: libcudart.so.12: cannot open shared object file")


@pytest.mark.parametrize(
    ("check", "status", "said"),
    [
        (doctor.check_python((3, 9)), "fail", "3.10"),
        (doctor.check_python((3, 10)), "ok", "3.10"),
        (doctor.check_python((3, 14)), "warn", "no ros-* wheels"),
        (doctor.check_package(Package(name="x"), "y", "pip install x"), "ok", "pip install x"),
        (doctor.check_package(Package(name="x"), "y", "pip install x", is_required=True), "fail", "pip install x"),
        (doctor.check_package(BROKEN, "models", "pip install torch"), "fail", "libcudart.so.12"),
        (doctor.check_rclpy(Package(name="rclpy"), "", ""), "warn", "ros-wheels"),
        (doctor.check_rclpy(RCLPY, "", "rmw_fastrtps_cpp"), "ok", "Kilted"),
        (doctor.check_rclpy(RCLPY, "kilted", "rmw_fastrtps_cpp"), "ok", "Kilted"),
        (doctor.check_rclpy(RCLPY, "jazzy", "rmw_fastrtps_cpp"), "warn", "ROS_DISTRO is jazzy"),
        (doctor.check_rclpy(RCLPY, "", "rmw_cyclonedds_cpp"), "warn", "rmw_cyclonedds_cpp"),
        (doctor.check_rclpy(Package(name="rclpy", version="11.0"), "lyrical", "rmw_fastrtps_cpp"), "ok", "lyrical"),
        (doctor.check_messages(Package(name="vitron_msgs"), True, {}, TEXTS), "fail", "./msg"),
        (doctor.check_messages(Package(name="vitron_msgs"), False, {}, TEXTS), "ok", "not installed"),
        (doctor.check_messages(MESSAGES, True, {}, TEXTS), "fail", "vitron_msgs/msg/Track"),
        (doctor.check_messages(MESSAGES, True, TEXTS, {}), "ok", "not compared"),
        (doctor.check_backends(Package(name="torch"), "", "", []), "fail", "pip install torch"),
        (doctor.check_backends(BROKEN, "", "", [TENSORRT]), "fail", "none can run"),
        (doctor.check_backends(TORCH, "", "CPU", [TENSORRT]), "ok", "torch on the CPU; onnxruntime (CPU)"),
        (doctor.check_backends(TORCH, "H200", "", [TENSORRT]), "ok", "torch on H200; tensorrt on H200"),
        (doctor.check_shared_memory(None, 0), "fail", "--shm-size"),
        (doctor.check_shared_memory(64 * MIB, 64 * MIB), "fail", "--shm-size"),
        (doctor.check_shared_memory(256 * MIB, 200 * MIB), "warn", "enough for 3 processes"),
        (doctor.check_shared_memory(24 * 1024 * MIB, 20 * 1024 * MIB), "ok", "20480 MiB free"),
        (doctor.check_leftovers(3, 2 * MIB), "ok", "3 of no process"),
        (doctor.check_leftovers(40, 2800 * MIB), "warn", "fastdds shm clean"),
        (doctor.check_middleware("", ""), "ok", "not set"),
        (doctor.check_middleware("rmw_zenoh_cpp", "no such file"), "fail", "unset RMW_IMPLEMENTATION"),
        (doctor.check_start(""), "ok", "can be made"),
        (doctor.check_start("no log directory"), "fail", "no log directory"),
        (doctor.check_domain("", ""), "ok", "0, the default"),
        (doctor.check_domain("42", "LOCALHOST"), "ok", "discovery LOCALHOST"),
        (doctor.check_domain("150", ""), "warn", "at most 101"),
        (doctor.check_domain("233", ""), "fail", "export ROS_DOMAIN_ID"),
        (doctor.check_domain("-1", ""), "fail", "export ROS_DOMAIN_ID"),
        (doctor.check_domain("lab", ""), "fail", "export ROS_DOMAIN_ID"),
        (doctor.check_domain("²", ""), "fail", "export ROS_DOMAIN_ID"),
        (doctor.check_domain("010", ""), "fail", "export ROS_DOMAIN_ID"),
        (doctor.check_domain("9" * 5000, ""), "fail", "export ROS_DOMAIN_ID"),
        (doctor.check_domain("1", "OFF"), "warn", "SUBNET"),
        (doctor.check_webcams([], []), "ok", "none"),
        (doctor.check_webcams(["/dev/video0"], []), "ok", "/dev/video0"),
        (doctor.check_webcams(["/dev/video0", "/dev/video1"], ["/dev/video1"]), "warn", "usermod"),
    ],
    ids=lambda value: value.name if isinstance(value, Check) else None,
)
def test_a_check_says_how_things_stand_and_how_to_mend_them(check, status, said):
    assert check.status == status
    assert said in f"{check.finding}\n{check.remedy}"
    assert check.remedy or status == "ok"


def test_comments_and_spaces_do_not_make_messages_differ():
    built = {"vitron_msgs/msg/Track": "uint64  id\nfloat32[4] box # px"}
    assert doctor.check_messages(MESSAGES, True, built, TEXTS).status == "ok"
    built = {"vitron_msgs/msg/Track": "uint32 id\nfloat32[4] box"}
    assert doctor.check_messages(MESSAGES, True, built, TEXTS).status == "fail"


def test_actions_are_compared_as_messages_are():
    sources = interface_texts()
    name = "vitron_msgs/action/TrackObject"
    assert name in sources and "vitron_msgs/msg/Track" in sources
    stale = sources | {name: sources[name].replace("---", "bool later\n---", 1)}
    check = doctor.check_messages(MESSAGES, True, stale, sources)
    assert check.status == "fail" and name in check.finding


def transport(value, tmp_path, text=None, shipped=PROFILE):
    if text is not None:
        value = str(tmp_path / "profile.xml")
        Path(value).write_text(text)
    return doctor.check_transport("FASTDDS_DEFAULT_PROFILES_FILE", value, "", shipped)


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        ("<dds><segment_size>67108864</segment_size></dds>", "ok", "64 MiB"),
        ('<dds xmlns="http://www.eprosima.com"><segment_size>67108864</segment_size></dds>', "ok", "64 MiB"),
        ("<dds><segment_size>524288</segment_size></dds>", "warn", "524288 bytes"),
        ("<dds/>", "warn", "0 bytes"),
        ("<dds><segment_size>64 MB</segment_size></dds>", "fail", "cannot be read"),
        ("<dds><!-- mine --></dds>", "warn", "0 bytes"),
        ("<dds>", "fail", "cannot be read"),
        ("", "fail", "cannot be read"),
    ],
)
def test_a_profile_of_the_users_own_is_read(tmp_path, text, status, said):
    check = transport("", tmp_path, text)
    assert (check.status, said in check.finding) == (status, True)
    assert (str(PROFILE) in check.remedy) == (status != "ok")


def test_a_transport_without_the_profile_is_told_of(tmp_path):
    check = transport("", tmp_path)
    assert check.status == "warn"
    assert f"export FASTDDS_DEFAULT_PROFILES_FILE={PROFILE}" in check.remedy
    assert transport("", tmp_path, shipped=tmp_path / "gone.xml").status == "fail"
    assert transport(str(tmp_path / "gone.xml"), tmp_path).status == "fail"
    assert transport(str(PROFILE), tmp_path).status == "ok"


def test_the_shipped_profile_asks_for_what_the_doctor_counts_with(tmp_path):
    assert f"<segment_size>{doctor.SEGMENT_BYTES}</segment_size>" in PROFILE.read_text()


@pytest.mark.parametrize(
    ("rclpy", "name"),
    [
        ("7.1.5", "FASTRTPS_DEFAULT_PROFILES_FILE"),
        ("9.1.2", "FASTDDS_DEFAULT_PROFILES_FILE"),
        ("10.0.8", "FASTDDS_DEFAULT_PROFILES_FILE"),
        (None, "FASTDDS_DEFAULT_PROFILES_FILE"),
    ],
)
def test_each_fast_dds_is_told_of_the_profile_by_the_name_that_it_reads(rclpy, name):
    assert profile_variable(rclpy) == name


def test_a_profile_of_the_users_own_stays(monkeypatch):
    (name,) = transport_environment()
    monkeypatch.delenv(name, raising=False)
    assert transport_environment() == {name: str(PROFILE)}
    monkeypatch.setenv(name, "/home/me/mine.xml")
    assert transport_environment() == {name: "/home/me/mine.xml"}


def test_a_module_is_absent_broken_or_there_or_ends_the_process(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "broken_module.py").write_text("raise OSError('libfoo.so is missing')")
    (tmp_path / "deadly_module.py").write_text("import os, sys; print('no display', file=sys.stderr); os._exit(3)")
    (tmp_path / "good_module.py").write_text("print('hello'); __version__ = '1.2'")
    found = find_modules(["no_such_module", "broken_module", "deadly_module", "good_module"])
    assert found["no_such_module"].package == Package(name="no_such_module")
    assert found["broken_module"].package.error == "OSError: libfoo.so is missing"
    assert found["deadly_module"].package.error == "it ends the process with 3: no display"
    assert (found["good_module"].package.version, found["good_module"].package.works) == ("1.2", True)


@pytest.mark.ros
@pytest.mark.parametrize(
    ("variable", "value", "failing"),
    [
        ("RMW_IMPLEMENTATION", "rmw_none_cpp", {"middleware", "rclpy"}),
        ("ROS_DOMAIN_ID", "abc", {"domain", "ros node"}),
        ("ROS_LOG_DIR", "/proc/none", {"ros node"}),
    ],
)
def test_an_environment_that_ends_rclpy_does_not_end_the_doctor(monkeypatch, variable, value, failing):
    monkeypatch.setenv(variable, value)
    find = command.find_modules

    def found(names):
        others = {name: Found(package=Package(name=name, version="1.0")) for name in names}
        return others | find(["rclpy", command.NODE, "vitron_msgs"])

    monkeypatch.setattr(command, "find_modules", found)
    checks = {check.name: check for check in command.examine(os.environ)}
    assert failing <= set(checks)
    assert {checks[name].status for name in failing} == {"fail"}
    assert any(value in checks[name].finding for name in failing)
    assert all(checks[name].remedy for name in failing)


def examined(**environment):
    return {check.name: check for check in command.examine(environment)}


@pytest.fixture
def no_torch(monkeypatch):
    """Every package is there but torch."""

    def found(names):
        versions = {name: None if name == "torch" else "1.0" for name in names}
        return {name: Found(package=Package(name=name, version=version)) for name, version in versions.items()}

    monkeypatch.setattr(command, "find_modules", found)


def test_a_missing_torch_fails_and_the_rest_is_still_examined(no_torch, capsys):
    assert main(["doctor", "--json"]) == 1
    result = json.loads(capsys.readouterr().out)
    checks = {check["name"]: check for check in result["checks"]}
    assert not result["ok"]
    assert checks["torch"] == {
        "name": "torch",
        "status": "fail",
        "finding": "not installed; needed for models",
        "remedy": "pip install torch",
    }
    assert {"backends", "transport", "shared memory", "domain", "webcams"} <= set(checks)


def test_a_missing_shared_memory_and_profile_are_found(no_torch, monkeypatch, tmp_path):
    monkeypatch.setattr(command, "SHARED_MEMORY", tmp_path / "none")
    checks = examined()
    assert checks["shared memory"].status == "fail"
    assert checks["transport"].status == "warn"
    (name,) = transport_environment()
    assert examined(**{name: str(PROFILE)})["transport"].status == "ok"
    assert examined(**{name: str(tmp_path / "gone.xml")})["transport"].status == "fail"


def test_the_table_names_each_check_with_its_remedy(monkeypatch, capsys):
    monkeypatch.setattr(
        command,
        "examine",
        lambda _: [
            Check(name="a", status="ok", finding="fine"),
            Check(name="b", status="warn", finding="so", remedy="do"),
        ],
    )
    assert main(["doctor"]) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["ok", "a", "fine"],
        ["WARN", "b", "so"],
        ["->", "do"],
    ]


def test_the_doctor_needs_nothing_but_python(tmp_path):
    venv.create(tmp_path / "bare", with_pip=False)
    done = subprocess.run(
        [tmp_path / "bare" / "bin" / "python", "-m", "vitron_ros.cli.main", "doctor", "--json"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    found = {check["name"]: check["status"] for check in json.loads(done.stdout)["checks"]}
    assert found["torch"] == found["backends"] == "fail"
    assert found["rclpy"] == "warn"
    assert found["vitron_msgs"] == "ok"
