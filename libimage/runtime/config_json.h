/// config.json: the runtime specification's configuration as text.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "libimage/sandbox/runtime_config.h"

namespace lade::runtime {

/// Larger than any honest configuration; bounds what is read of a file.
inline constexpr std::uint64_t kMaxConfigBytes = std::uint64_t{8} * 1024 * 1024;

/// Reads a config.json. Error{invalid_content}: not JSON, a member of the wrong type, out of range,
/// missing or given twice, each named by its place ("linux.resources.pids.limit");
/// Error{unsupported}: a seccomp action that is not done. Whether the values make sense together is
/// sandbox::validate()'s to say. Unknown members are kept where objects can have them.
sandbox::RuntimeConfig parse_config(std::string_view json);

/// A process object, as `exec --process FILE` reads.
sandbox::Process parse_process(std::string_view json);

/// A resources object, as `update --resources FILE` reads.
sandbox::Resources parse_resources(std::string_view json);

/// The text, without blanks: members in the specification's order, those at their defaults left
/// out. parse_config() reads the same value from it. Error{unsupported} for what only the built-in
/// runner can do (an overlay as root, content in memory, a mount's source by descriptor).
std::string serialise(const sandbox::RuntimeConfig& config);

}  // namespace lade::runtime
