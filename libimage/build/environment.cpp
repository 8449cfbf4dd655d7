#include "libimage/build/environment.h"

#include <algorithm>
#include <array>

#include "libimage/base/text.h"

namespace lade::build {
namespace {

bool is_named(std::string_view entry, std::string_view name) {
  return entry.size() > name.size() && entry[name.size()] == '=' && entry.starts_with(name);
}

}  // namespace

std::optional<std::string> get_variable(const Environment& environment, std::string_view name) {
  for (const std::string& entry : environment) {
    if (is_named(entry, name)) return entry.substr(name.size() + 1);
  }
  return std::nullopt;
}

void set_variable(Environment& environment, std::string_view name, std::string_view value) {
  std::string text = cat(name, "=", value);
  const auto found = std::find_if(environment.begin(), environment.end(),
                                  [&](const std::string& entry) { return is_named(entry, name); });
  if (found == environment.end()) {
    environment.push_back(std::move(text));
  } else {
    *found = std::move(text);
  }
}

bool is_proxy_variable(std::string_view name) noexcept {
  constexpr std::array<std::string_view, 10> kNames = {
      "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY",
      "http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

}  // namespace lade::build
