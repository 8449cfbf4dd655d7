/// What a COPY or ADD takes: its sources found in a tree, and their part of the step's key.
#pragma once
#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "libimage/build/source_tree.h"
#include "libimage/build/step_key.h"

namespace lade::build {

struct CopySource {
  std::string path;  ///< links followed
  std::string name;  ///< what it was called, for a destination that is a directory
  Attributes attributes = {};
};

/// What match_sources() does where a name without a wildcard is not there.
enum class Missing { error, left_out };

/// The files and directories that `pattern` names, sorted; links at the end are followed. `*`, `?`
/// and `[..]` match within a component. A name without a wildcard that is not there throws
/// Error{not_found} ("why" included where the ignore file hides it); a pattern may match nothing.
std::vector<CopySource> match_sources(SourceTree& tree, const std::string& pattern,
                                      Missing missing = Missing::error);

/// The last component of `path`.
std::string base_name(const std::string& path);

/// True if `pattern` has a wildcard that is not escaped.
bool has_wildcard(std::string_view pattern) noexcept;

/// Adds `sources` to the key: names, types, modes, owners, link targets, extended attributes and
/// content, of directories with everything below; not mtimes (as BuildKit). Files whose digest is
/// not known are read, `jobs` at once.
void add_sources(StepKey& key, SourceTree& tree, const std::vector<CopySource>& sources,
                 unsigned jobs, const std::stop_token& stop);

}  // namespace lade::build
