/// YAML as the ecosystem's configuration files use it: a document as a value tree. Internal; the
/// one place that knows a YAML parser.
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lade {

/// A node. Aliases are resolved (the nodes are copies), merge keys ("<<") are merged.
struct YamlValue {
  enum class Kind { null, scalar, sequence, mapping };
  Kind kind = Kind::null;
  std::size_t line = 0;   ///< from 1; 0 for an empty document
  std::string text = {};  ///< of a scalar, as written, without quotes
  bool is_quoted = false;
  std::vector<YamlValue> items = {};    ///< of a sequence
  std::vector<YamlValue> members = {};  ///< of a mapping, in the document's order, each with its:
  std::string key = {};

  /// The member called `name`; nullptr if there is none.
  [[nodiscard]] const YamlValue* find(std::string_view name) const;
  /// A plain scalar that YAML 1.1 calls a boolean: true, yes, on and their opposites.
  [[nodiscard]] std::optional<bool> boolean() const;
};

/// Bounds of what is parsed; aliases count as what they stand for, so that they cannot multiply.
inline constexpr std::size_t kMaxYamlBytes = std::size_t{16} << 20;
inline constexpr std::size_t kMaxYamlNodes = 200'000;
inline constexpr std::size_t kMaxYamlDepth = 32;

/// Reads one document. Throws Error{invalid_content} with the line for what is no YAML, for keys
/// that are no scalars or occur twice, for an alias within what it stands for, and for a second
/// document; Error{limit_exceeded} beyond the bounds.
YamlValue parse_yaml(std::string_view text);

}  // namespace lade
