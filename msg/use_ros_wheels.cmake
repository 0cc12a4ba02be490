# Builds against the ros-* wheels of the running Python instead of a sourced ROS 2. Runs at each project() call.

find_package(Python3 REQUIRED COMPONENTS Interpreter Development.Module NumPy)
execute_process(
  COMMAND "${Python3_EXECUTABLE}" -c "import pathlib, rosidl_parser; print(pathlib.Path(rosidl_parser.__file__).parents[4])"
  OUTPUT_VARIABLE ros_prefix
  OUTPUT_STRIP_TRAILING_WHITESPACE
  COMMAND_ERROR_IS_FATAL ANY
)
list(PREPEND CMAKE_PREFIX_PATH "${ros_prefix}")
set(ENV{AMENT_PREFIX_PATH} "${ros_prefix}")

# From lib/ to its neighbours, and from the Python package back to lib/.
set(CMAKE_INSTALL_RPATH "$ORIGIN;$ORIGIN/../../..")

# The wheels' imported targets name folders of the machine that made the wheels. CMake refuses folders that do not exist,
# so they are taken out once everything is imported.
function(drop_folders_of_the_wheel_builder)
  get_property(targets DIRECTORY PROPERTY IMPORTED_TARGETS)
  foreach(target IN LISTS targets)
    foreach(property INTERFACE_INCLUDE_DIRECTORIES INTERFACE_SYSTEM_INCLUDE_DIRECTORIES INTERFACE_LINK_LIBRARIES)
      get_target_property(folders ${target} ${property})
      if(folders)
        list(FILTER folders EXCLUDE REGEX "^/opt/(python|_internal)/")
        set_target_properties(${target} PROPERTIES ${property} "${folders}")
      endif()
    endforeach()
  endforeach()
endfunction()
cmake_language(DEFER CALL drop_folders_of_the_wheel_builder)
