#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lade {

inline constexpr std::size_t kMaxUrlBytes = 8192;  ///< what common servers accept

/// An absolute http or https URL (RFC 3986). Userinfo is read and thrown away: credentials never
/// travel in URLs. The fragment is dropped.
struct Url {
  std::string scheme;                ///< "http" or "https"
  std::string host;                  ///< lower case; an IPv6 literal keeps its brackets
  std::uint16_t port = 0;            ///< explicit, or the scheme's
  std::string path = "/";            ///< at least "/", escaped as spelled
  std::optional<std::string> query;  ///< without '?', as spelled
  bool operator==(const Url&) const = default;

  /// Throws Error{invalid_content} (the URL is not repeated whole: it may hold secrets).
  static Url parse(std::string_view text);
  static std::optional<Url> try_parse(std::string_view text);

  /// What credentials belong to: scheme, host and port.
  [[nodiscard]] std::string origin() const;
  /// "host[:port]", the port only where it is not the scheme's.
  [[nodiscard]] std::string authority() const;
  [[nodiscard]] std::string str() const;
  /// For messages and logs: without the query, which may hold signatures and tokens.
  [[nodiscard]] std::string redacted() const;

  /// The target of a reference found at this URL (RFC 3986, section 5.2): a Location or Link.
  /// Throws as parse() does.
  [[nodiscard]] Url resolve(std::string_view reference) const;
  /// A copy with `name=value` (value percent-encoded) after the query that is there.
  [[nodiscard]] Url with_parameter(std::string_view name, std::string_view value) const;

  /// True for 127.0.0.0/8, [::1] and localhost.
  [[nodiscard]] bool is_loopback() const;
  /// True for loopback and for literals of private, link-local, unspecified and other networks that
  /// no public service has: where a hostile server may try to lead a client.
  [[nodiscard]] bool is_internal() const;
};

/// `text` with everything but unreserved characters (RFC 3986, section 2.3) as %XX.
std::string percent_encoded(std::string_view text);

}  // namespace lade
