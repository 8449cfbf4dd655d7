#include "libimage/packages/package.h"

#include "libimage/base/text.h"

namespace lade::packages {
namespace {

/// RFC 3986 percent-encoding as the package URL specification asks: all but unreserved characters,
/// and the colon.
std::string encoded(std::string_view text, std::string_view also_kept = {}) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~:").find(c) != std::string_view::npos ||
                       also_kept.find(c) != std::string_view::npos;
    if (plain) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += kHex[byte >> 4U];
      out += kHex[byte & 0xFU];
    }
  }
  return out;
}

}  // namespace

std::string Package::url() const {
  std::string out = cat("pkg:", type, "/");
  if (!space.empty()) out += cat(encoded(space, "/"), "/");
  out += encoded(name);
  // An RPM's epoch is no part of the version there.
  const std::size_t colon = type == "rpm" ? version.find(':') : std::string::npos;
  const std::string epoch = colon == std::string::npos ? "" : version.substr(0, colon);
  const std::string rest = colon == std::string::npos ? version : version.substr(colon + 1);
  if (!rest.empty()) out += cat("@", encoded(rest));
  char separator = '?';
  const auto qualifier = [&](std::string_view key, const std::string& value) {
    if (value.empty()) return;
    out += cat(separator, key, "=", encoded(value));
    separator = '&';
  };
  qualifier("arch", architecture);
  qualifier("distro", distribution);
  qualifier("epoch", epoch);
  qualifier("upstream", source);
  return out;
}

std::string Distribution::label() const {
  if (id.empty()) return {};
  return version.empty() ? id : cat(id, "-", version);
}

}  // namespace lade::packages
