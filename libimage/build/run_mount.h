/// What RUN --mount asks for: parsed with the line, made for each execution.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "libimage/build/word.h"

namespace lade::build {

/// One --mount. Texts hold variables that are not expanded, but for `from`, which has none.
struct RunMount {
  enum class Kind { bind, cache, tmpfs, secret, ssh };
  enum class Sharing { shared, exclusive, locked };
  Kind kind = Kind::bind;
  std::string target = {};  ///< "" where it has a default
  std::string source = {};
  std::string from = {};  ///< a stage or an image; "": the build context
  std::string id = {};
  std::string environment = {};  ///< secret: the variable that holds it
  Sharing sharing = Sharing::shared;
  bool readonly = true;
  bool required = false;
  std::optional<std::uint32_t> mode = {}, uid = {}, gid = {};
  std::optional<std::uint64_t> size = {};  ///< tmpfs, bytes
};

/// Reads the CSV of `--mount=type=cache,target=/x` (BuildKit's keys and their aliases); values are
/// expanded by `expander`. Throws Error{invalid_content} naming what is wrong: an unknown type or
/// key (with the nearest), a key that its type does not take, a missing target.
RunMount parse_run_mount(std::string_view text, const Expander& expander);

/// Only its `from` ("" for none), known before variables are; checks the keys' names as well.
std::string from_of_run_mount(std::string_view text);

/// "64m" as bytes: b, k, m, g, t with or without a "b" behind, powers of 1024. Throws
/// Error{invalid_content}.
std::uint64_t parse_byte_count(std::string_view text);

}  // namespace lade::build
