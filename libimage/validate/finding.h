/// What is wrong with an image, by the rule that it breaks.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lade::validate {

enum class Severity {
  error,    ///< breaks a MUST
  warning,  ///< breaks a SHOULD, or what other programs rely on
  note,     ///< allowed, and seldom meant
};
std::string_view name_of(Severity severity) noexcept;

/// A rule of image-spec v1.1.1.
struct Rule {
  std::string_view id;       ///< "descriptor-digest"
  std::string_view section;  ///< "descriptor.md, \"Digests\""
  Severity severity;
  std::string_view text;  ///< what must hold, lower case, no full stop
};

/// All rules, by id.
std::span<const Rule> rules() noexcept;
/// The rule of that id, which must exist.
const Rule& rule(std::string_view id) noexcept;

struct Finding {
  const Rule* rule = nullptr;
  std::string place = {};  ///< the document or blob: its digest; "oci-layout", "index.json"
  std::string path = {};   ///< the member, "layers[2].size", or the path in a layer; "": the whole
  std::string message = {};  ///< what was found, lower case; safe to print
};

}  // namespace lade::validate
