#include "libimage/digest/digest.h"

#include <algorithm>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/digest/hasher.h"

namespace lade {
namespace {

constexpr std::size_t kMaxDigestText =
    512;  // no registered algorithm needs more; a file name ends at 255 as well

bool is_lower_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_lower_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

/// algorithm ::= component (separator component)*; component ::= [a-z0-9]+; separator ::= [+._-]
bool is_algorithm(std::string_view text) {
  bool component = false;
  for (const char c : text) {
    if (is_lower_alnum(c)) {
      component = true;
    } else if (component && (c == '+' || c == '.' || c == '_' || c == '-')) {
      component = false;
    } else {
      return false;
    }
  }
  return component;
}

bool is_encoded(std::string_view algorithm, std::string_view text) {
  if (algorithm == "sha256") return text.size() == 64 && is_lower_hex(text);
  if (algorithm == "sha512") return text.size() == 128 && is_lower_hex(text);
  return !text.empty() && text.size() <= 255 && std::all_of(text.begin(), text.end(), [](char c) {
    return is_lower_alnum(c) || (c >= 'A' && c <= 'Z') || c == '=' || c == '_' || c == '-';
  });
}

}  // namespace

std::optional<Digest> Digest::try_parse(std::string_view text) noexcept {
  if (text.size() > kMaxDigestText) return std::nullopt;
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view algorithm = text.substr(0, colon);
  if (!is_algorithm(algorithm) || !is_encoded(algorithm, text.substr(colon + 1)))
    return std::nullopt;
  return Digest(std::string(text), colon);
}

Digest Digest::parse(std::string_view text) {
  std::optional<Digest> digest = try_parse(text);
  if (!digest)
    throw Error(Errc::invalid_content, cat("invalid digest ", quoted(text.substr(0, 200))));
  return *std::move(digest);
}

std::string Digest::brief() const { return cat(algorithm(), ":", encoded().substr(0, 12)); }

ChainId chain_id(const std::optional<ChainId>& parent, const DiffId& diff_id) {
  if (!parent) return {diff_id.value};
  return {sha256_of(cat(parent->value.str(), " ", diff_id.value.str()))};
}

ChainId chain_id(std::span<const DiffId> diff_ids) {
  std::optional<ChainId> chain;
  for (const DiffId& diff_id : diff_ids) chain = chain_id(chain, diff_id);
  return chain.value();
}

}  // namespace lade
