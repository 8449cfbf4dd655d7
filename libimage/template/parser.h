/// Tokens to trees. Internal to libimage/template.
#pragma once
#include <map>
#include <string>
#include <string_view>

#include "libimage/template/node.h"

namespace lade::templates {

/// Templates by name: the main one and those of {{define}} and {{block}}.
using Trees = std::map<std::string, NodePtr, std::less<>>;

/// Largest text of a template, and deepest nesting of actions and parentheses.
inline constexpr std::size_t kMaxTemplateBytes = std::size_t{256} * 1024;
inline constexpr std::size_t kMaxNesting = 200;

/// Error{invalid_argument} with Go's text: "template: NAME:LINE: ...".
Trees parse_trees(const std::string& name, std::string_view text);

}  // namespace lade::templates
