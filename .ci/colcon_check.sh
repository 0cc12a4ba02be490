#!/usr/bin/env bash
# Proves that colcon sees both packages by their ROS build types and builds them, in an environment of its own.
# ROS=jazzy checks against the Jazzy wheels. Needs a C and a C++ compiler, cmake, and Python with venv.
set -euo pipefail
cd "$(dirname "$0")/.."

case "${ROS:-kilted}" in
  kilted) rclpy=9.1.2 ;;
  jazzy) rclpy=7.1.6 ;;
  *) echo "colcon_check: ROS is '$ROS'; choose kilted or jazzy" >&2; exit 2 ;;
esac
venv=.venv-colcon-${ROS:-kilted}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

test -x "$venv/bin/python" || "${PYTHON:-python3}" -m venv "$venv"
export PATH="$PWD/$venv/bin:$PATH" PIP_DISABLE_PIP_VERSION_CHECK=1
unset ROS_DISTRO AMENT_PREFIX_PATH CMAKE_PREFIX_PATH COLCON_PREFIX_PATH PYTHONPATH
python -m pip install --quiet scikit-build-core==1.1.2 colcon-bash==0.5.0 colcon-cmake==0.2.30 colcon-core==0.21.3 \
  colcon-defaults==0.2.9 colcon-library-path==0.2.1 colcon-metadata==0.3.1 colcon-package-information==0.4.1 colcon-python-setup-py==0.2.9 \
  colcon-ros==0.5.0
(cd msg && python -c "
import ros_wheels_backend as backend
print('\n'.join([*backend.TOOLS, *backend.ROS_WHEELS['$rclpy']]))") > "$scratch/requirements.txt"
python -m pip install --quiet --requirement "$scratch/requirements.txt"

colcon --log-base "$scratch/log" list --base-paths . msg > "$scratch/packages"
for expected in 'vitron_msgs.*(ros\.ament_cmake)' 'vitron_ros.*(ros\.ament_python)'; do
  grep -q "^$expected" "$scratch/packages" || {
    echo "colcon_check: no line like '$expected' in 'colcon list --base-paths . msg':" >&2
    cat "$scratch/packages" >&2
    exit 1
  }
done

colcon --log-base "$scratch/log" build --base-paths . msg \
  --build-base "$scratch/build" --install-base "$scratch/install" --cmake-args -DBUILD_TESTING=OFF &> "$scratch/build.log" || {
  tail -n 60 "$scratch/build.log" >&2
  echo "colcon_check: colcon build fails" >&2
  exit 1
}

# shellcheck disable=SC1091
(set +u; . "$scratch/install/setup.bash"; cd "$scratch"
python -c "
import vitron_msgs.action, vitron_msgs.msg
assert '$scratch' in vitron_msgs.__file__, vitron_msgs.__file__
from rosidl_generator_py import import_type_support
import_type_support('vitron_msgs')"
test "$(command -v vitron)" = "$scratch/install/vitron_ros/lib/vitron_ros/vitron" || {
  echo "colcon_check: vitron is '$(command -v vitron)', not the workspace's command" >&2
  exit 1
})
for installed in lib/vitron_ros/perception share/vitron_ros/launch/track.launch.py \
  share/ament_index/resource_index/packages/vitron_ros; do
  test -e "$scratch/install/vitron_ros/$installed" || { echo "colcon_check: $installed is not installed" >&2; exit 1; }
done
echo "colcon_check: ${ROS:-kilted}: vitron_ros is ros.ament_python and vitron_msgs ros.ament_cmake, both build, vitron_msgs loads"
