// The input's first line is a path, the rest an ignore file: the verdict does not depend on how the
// tree is walked.
#include "libimage/build/ignore_pattern.h"

#include "libimage/base/error.h"
#include "libimage/io/path.h"

#include "fuzz/property.h"

using namespace lade;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos || end > 4096) return 0;
  const std::string path = clean_path(text.substr(0, end));
  if (path.empty()) return 0;
  try {
    const build::IgnoreList list = build::IgnoreList::parse(text.substr(end + 1));
    const bool ignored = list.ignores(path);
    fuzz::require(ignored == list.ignores(path));
    if (list.empty()) fuzz::require(!ignored);
    // Without exceptions what is below an ignored directory is ignored.
    if (!list.may_include_again() && ignored) fuzz::require(list.ignores(path + "/below"));
  } catch (const Error&) {  // a bad pattern: refused
  }
  return 0;
}
