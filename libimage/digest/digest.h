#pragma once
#include <compare>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace lade {

/// `algorithm:encoded`, the name of stored bytes (image-spec v1.1.1, descriptor.md, "Digests").
///
/// A registered algorithm has exactly its length of lower-case hex: sha256 (64) or sha512 (128).
/// Other algorithms are accepted where they obey the grammar, so that descriptors can be carried,
/// but cannot be verified. No value holds a '/', so encoded() is a safe file name.
class Digest {
 public:
  /// Throws Error{invalid_content} naming the text.
  static Digest parse(std::string_view text);
  static std::optional<Digest> try_parse(std::string_view text) noexcept;

  [[nodiscard]] const std::string& str() const noexcept { return text_; }
  [[nodiscard]] std::string_view algorithm() const noexcept {
    return std::string_view(text_).substr(0, colon_);
  }
  [[nodiscard]] std::string_view encoded() const noexcept {
    return std::string_view(text_).substr(colon_ + 1);
  }
  /// True if this program can compute it.
  [[nodiscard]] bool verifiable() const noexcept {
    return algorithm() == "sha256" || algorithm() == "sha512";
  }
  /// "sha256:" and the first 12 characters: for people.
  [[nodiscard]] std::string brief() const;

  bool operator==(const Digest& other) const noexcept { return text_ == other.text_; }
  std::strong_ordering operator<=>(const Digest& other) const noexcept {
    return text_ <=> other.text_;
  }

 private:
  Digest(std::string text, std::size_t colon) : text_(std::move(text)), colon_(colon) {}
  std::string text_;
  std::size_t colon_;
};

/// Digest of a layer's uncompressed tar (image-spec config.md, "Layer DiffID"); never a layer's own
/// digest.
struct DiffId {
  Digest value;
  auto operator<=>(const DiffId&) const = default;
};

/// Digest that names an ordered stack of layers (image-spec config.md, "Layer ChainID").
struct ChainId {
  Digest value;
  auto operator<=>(const ChainId&) const = default;
};

/// Chain ID of the layers `diff_ids`, base layer first; a single layer's chain ID equals its diff
/// ID.
/// @pre `diff_ids` is not empty.
ChainId chain_id(std::span<const DiffId> diff_ids);

/// Chain ID of `parent` (nullopt: none) with `diff_id` on top.
ChainId chain_id(const std::optional<ChainId>& parent, const DiffId& diff_id);

}  // namespace lade

template <>
struct std::hash<lade::Digest> {
  std::size_t operator()(const lade::Digest& digest) const noexcept {
    return std::hash<std::string>()(digest.str());
  }
};
