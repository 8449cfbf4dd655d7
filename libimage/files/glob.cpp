#include "libimage/files/glob.h"

#include <fnmatch.h>

namespace lade::files {

bool glob_matches(const std::string& pattern, const std::string& text, Letters letters) {
  return ::fnmatch(pattern.c_str(), text.c_str(),
                   letters == Letters::any_case ? FNM_CASEFOLD : 0) == 0;
}

}  // namespace lade::files
