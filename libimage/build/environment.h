#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lade::build {

/// NAME=VALUE texts, in the order in which the names were first set; a name stands once.
using Environment = std::vector<std::string>;

std::optional<std::string> get_variable(const Environment& environment, std::string_view name);
void set_variable(Environment& environment, std::string_view name, std::string_view value);

/// PATH where an image has none (BuildKit's).
inline constexpr std::string_view kDefaultPath =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// True for the proxy variables, which RUN gets without ARG and which are in no key and no history.
bool is_proxy_variable(std::string_view name) noexcept;

}  // namespace lade::build
