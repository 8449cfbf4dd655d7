#pragma once
#include <string>

namespace lade::files {

enum class Letters { exact, any_case };

/// True if `pattern` matches all of `text` as the shell's patterns do (fnmatch(3)); "*" matches
/// slashes and leading dots too.
bool glob_matches(const std::string& pattern, const std::string& text, Letters letters);

}  // namespace lade::files
