#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace lade::docker {

/// One challenge of a WWW-Authenticate header (RFC 9110, section 11.6.1).
struct Challenge {
  std::string scheme;                             ///< lower case: "bearer", "basic"
  std::map<std::string, std::string> parameters;  ///< lower-case names; the first of a name counts
  bool operator==(const Challenge&) const = default;

  /// The parameter, "" if absent.
  [[nodiscard]] std::string parameter(const std::string& name) const;
};

/// All challenges of one header value, in order; what follows a syntax error is left out.
std::vector<Challenge> parse_challenges(std::string_view value);

}  // namespace lade::docker
