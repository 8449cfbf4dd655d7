#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "libimage/digest/digest.h"

namespace lade {

/// [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127} (distribution-spec v1.1.1, "Pulling manifests").
struct Tag {
  std::string value;
  auto operator<=>(const Tag&) const = default;
};

using TagOrDigest = std::variant<Tag, Digest>;

std::string to_string(const TagOrDigest& reference);

/// A repository of a registry, with an optional tag and digest: [host[:port]/]name[:tag][@digest].
///
/// Docker's shorthand is expanded: no host means docker.io, no slash there means library/. A first
/// component is a host if it has a '.' or ':' or is "localhost" or has an upper-case letter.
struct Reference {
  std::string registry;    ///< host[:port], e.g. "docker.io", "127.0.0.1:5000"
  std::string repository;  ///< e.g. "library/debian"
  std::optional<Tag> tag = {};
  std::optional<Digest> digest = {};
  bool operator==(const Reference&) const = default;

  /// Throws Error{invalid_argument} naming the text and the rule that it breaks.
  static Reference parse(std::string_view text);
  static std::optional<Reference> try_parse(std::string_view text);

  /// "registry/repository[:tag][@digest]"
  [[nodiscard]] std::string str() const;
  /// What to ask the registry for: the digest if there is one, else the tag, else "latest".
  [[nodiscard]] TagOrDigest target() const;
};

/// True if `text` obeys the grammar of tags.
bool is_tag(std::string_view text) noexcept;

}  // namespace lade
